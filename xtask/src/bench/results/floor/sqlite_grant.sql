-- A hand-out, in one visit. Time, captures as a list; the first and the last place of the group.
BEGIN IMMEDIATE;
INSERT INTO grants (job_id, worker_id, granted_at, lease_until, captures) VALUES (1, 1, $1, $1 + 300000000, $2);
UPDATE tasks SET delivery = delivery + 1, holder = 1, grant_id = last_insert_rowid(), granted_at = $1, lease_until = $1 + 300000000
WHERE job_id = 1 AND ord BETWEEN $3 AND $4;
COMMIT
