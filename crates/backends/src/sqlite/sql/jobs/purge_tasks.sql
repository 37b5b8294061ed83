-- The next tasks of a deleted job. $1 job, $2 limit.
SELECT capture_id FROM tasks WHERE job_id = $1 LIMIT $2
