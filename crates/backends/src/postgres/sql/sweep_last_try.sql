-- Leaves one last try to tasks that nobody holds and whose budget is used up, by tasks_spent. $1 job, $2 run, $3 budget,
-- $4 limit, $5 strikes. What is locked is being handed out or settled.
WITH picked AS MATERIALIZED (
    SELECT t.capture_id FROM tasks t
    WHERE 0 + t.job_id = $1 AND t.state = 'pending' AND t.strikes > 0 AND t.strikes >= $3
      AND CASE WHEN t.grant_id IS NULL AND t.run = $2 THEN true END
    ORDER BY t.strikes
    LIMIT (SELECT $4::bigint)
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE tasks t SET strikes = $5, suspect = true
FROM picked p
WHERE t.job_id = $1 AND t.capture_id = p.capture_id
