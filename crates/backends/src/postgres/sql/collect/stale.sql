-- The next tasks of older runs that this run settles again, locked: tasks come before the job's row (A10), and a result
-- that is being settled is waited for. $1 job, $2 after, $3 run, $4 mode, $5 limit.
SELECT capture_id, state, reason FROM tasks
WHERE job_id = $1 AND capture_id > $2 AND CASE WHEN run < $3 AND ($4 = 'all' OR state <> 'processed') THEN true END
ORDER BY capture_id
LIMIT (SELECT $5::bigint)
FOR NO KEY UPDATE
