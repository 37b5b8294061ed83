-- Every pending task, leased or not. $1 job, $2 run, $3 limit (whoever settles them locks them).
SELECT capture_id, strikes, history FROM tasks
WHERE job_id + 0 = $1 AND state = 'pending' AND CASE WHEN run = $2 THEN true END
ORDER BY ord, capture_id
LIMIT (SELECT $3::bigint)
