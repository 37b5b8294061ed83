-- Leaves one last try to tasks that nobody holds and whose budget is used up, by tasks_strikes. $1 job, $2 run, $3 budget,
-- $4 limit, $5 strikes. What is locked is being handed out or settled. The job of the update is that of the picked rows: one
-- that the planner knows could be read as a whole.
WITH picked AS MATERIALIZED (
    SELECT t.job_id, t.capture_id FROM tasks t
    WHERE t.job_id * 1 = $1 AND t.state = 'pending' AND t.strikes > 0 AND t.strikes >= $3
      AND CASE WHEN t.grant_id IS NULL AND t.run = $2 THEN true END
    ORDER BY t.strikes
    LIMIT (SELECT $4::bigint)
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE tasks t SET strikes = $5, suspect = true
FROM picked p
WHERE t.job_id = p.job_id AND t.capture_id = p.capture_id
