-- A hand-out. ?1 job, ?2 captures, ?3 worker, ?4 now, ?5 lease until, ?6 with a suspect, ?7 exclusive.
INSERT INTO grants (job_id, worker_id, granted_at, lease_until, due_at, captures, suspect, exclusive)
VALUES (?1, ?3, ?4, ?5, ?5, ?2, ?6, ?7) RETURNING id
