-- Every pending task, leased or not. $1 job, $2 run, $3 limit.
SELECT capture_id, strikes, history FROM tasks INDEXED BY tasks_pending
WHERE job_id = $1 AND state = 'pending' AND run = $2
ORDER BY ord
LIMIT $3
