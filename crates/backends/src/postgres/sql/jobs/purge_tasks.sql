-- The next tasks of a deleted job, locked; what a late result holds is taken in the next slice. $1 job, $2 limit.
SELECT capture_id FROM tasks WHERE job_id = $1 ORDER BY capture_id LIMIT (SELECT $2::bigint) FOR UPDATE SKIP LOCKED
