-- The first task of a job in the order of dispatch that is not settled. $1 job.
SELECT ord, capture_id FROM tasks INDEXED BY tasks_pending
WHERE job_id = $1 AND state = 'pending' ORDER BY ord, capture_id LIMIT 1
