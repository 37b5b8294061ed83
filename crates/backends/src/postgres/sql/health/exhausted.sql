-- Tasks under no lease whose budget is used up: no sweep sees them. $1 job, $2 run, $3 limit (whoever settles them locks them), $4 budget.
SELECT capture_id, strikes, history, delivery - delivery_base AS attempts FROM tasks
WHERE job_id * 1 = $1 AND state = 'pending' AND strikes > 0 AND strikes >= $4
  AND CASE WHEN grant_id IS NULL AND run = $2 THEN true END
ORDER BY capture_id
LIMIT (SELECT $3::bigint)
