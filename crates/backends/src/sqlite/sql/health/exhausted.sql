-- Tasks under no lease whose budget is used up: no sweep sees them. $1 job, $2 run, $3 limit, $4 budget.
-- The key would lead there in the same order, past every task that is settled already.
SELECT capture_id, strikes, history, delivery - delivery_base AS attempts FROM tasks INDEXED BY tasks_struck
WHERE job_id = $1 AND state = 'pending' AND strikes > 0 AND strikes >= $4 AND grant_id IS NULL AND run = $2
ORDER BY capture_id
LIMIT $3
