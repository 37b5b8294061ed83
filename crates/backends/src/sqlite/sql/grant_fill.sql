-- Free tasks that are no suspects in the order of dispatch, for a reserve that the queue left short.
-- $1 job, $2 limit, $3 budget.
SELECT t.capture_id FROM tasks t INDEXED BY tasks_pending JOIN jobs j ON j.id = t.job_id
WHERE t.job_id = $1 AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run AND t.strikes < $3
  AND t.suspect = 0 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
ORDER BY t.ord
LIMIT $2
