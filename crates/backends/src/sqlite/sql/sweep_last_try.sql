-- Leaves one last try to tasks that nobody holds and whose budget is used up. $1 job, $2 run, $3 budget, $4 limit, $5 strikes.
UPDATE tasks INDEXED BY tasks_image SET strikes = $5, suspect = 1
WHERE job_id = $1 AND capture_id IN (
    SELECT capture_id FROM tasks INDEXED BY tasks_struck
    WHERE job_id = $1 AND state = 'pending' AND strikes > 0 AND strikes >= $3 AND grant_id IS NULL AND run = $2
    LIMIT $4)
