-- Pending tasks of a job in dispatch order after a cursor, whatever they wait for, by tasks_free. $1 job, $2 place, $3 capture,
-- $4 limit. As free_tasks.sql.
SELECT t.ord, t.capture_id
FROM tasks t
WHERE t.job_id + 0 = $1 AND t.state = 'pending' AND (t.ord, t.capture_id) > ($2, $3)
ORDER BY t.ord, t.capture_id
LIMIT (SELECT $4::bigint)
