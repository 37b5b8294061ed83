-- The next tasks of older runs that this run settles again. $1 job, $2 after, $3 run, $4 mode, $5 limit.
SELECT capture_id, state, reason FROM tasks
WHERE job_id = $1 AND capture_id > $2 AND run < $3 AND ($4 = 'all' OR state <> 'processed')
ORDER BY capture_id
LIMIT $5
