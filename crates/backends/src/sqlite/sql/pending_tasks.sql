-- Pending tasks of a job in dispatch order after a cursor, whatever they wait for. $1 job, $2 place, $3 capture, $4 limit.
SELECT ord, capture_id FROM tasks INDEXED BY tasks_pending
WHERE job_id = $1 AND state = 'pending' AND ord >= $2 AND (ord, capture_id) > ($2, $3)
ORDER BY ord, capture_id
LIMIT $4
