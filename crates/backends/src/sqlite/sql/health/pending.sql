-- Every pending task, leased or not. $1 job, $2 run, $3 limit, $4 is not looked at.
SELECT capture_id, strikes, history, delivery - delivery_base AS attempts FROM tasks INDEXED BY tasks_pending
WHERE job_id = $1 AND state = 'pending' AND run = $2 AND $4 IS NOT NULL
ORDER BY ord
LIMIT $3
