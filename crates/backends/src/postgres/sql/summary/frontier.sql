-- The first task of a job in the order of dispatch that is not settled, by tasks_free. $1 job.
SELECT ord, capture_id FROM tasks
WHERE job_id + 0 = $1 AND state = 'pending' ORDER BY ord, capture_id LIMIT (SELECT 1::bigint)
