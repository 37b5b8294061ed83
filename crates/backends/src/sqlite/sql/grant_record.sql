-- A hand-out and the leases of its tasks. $1 job, $2 captures, $3 worker, $4 now, $5 lease until, $6 with a suspect,
-- $7 exclusive.
INSERT INTO grants (job_id, worker_id, granted_at, lease_until, due_at, captures, suspect, exclusive)
VALUES ($1, $3, $4, $5, $5, $2, $6, $7) RETURNING id;
UPDATE tasks INDEXED BY tasks_image SET delivery = delivery + 1, holder = $3, grant_id = last_insert_rowid(), granted_at = $4, lease_until = $5
WHERE job_id = $1 AND capture_id IN (SELECT value FROM json_each($2))
