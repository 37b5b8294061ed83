-- Every pending task, leased or not. $1 job, $2 run, $3 limit (whoever settles them locks them), $4 is not looked at.
SELECT capture_id, strikes, history, delivery - delivery_base AS attempts FROM tasks
WHERE job_id + 0 = $1 AND state = 'pending' AND $4::bigint IS NOT NULL AND CASE WHEN run = $2 THEN true END
ORDER BY ord, capture_id
LIMIT (SELECT $3::bigint)
