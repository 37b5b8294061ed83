-- Active jobs with a task that nobody holds and whose budget is used up: it is handed out to nobody, and no lease of it will
-- end. The list of all statuses that run is there for the index, which SQLite takes by its very words.
-- $1 budget, $2 limit.
SELECT j.id, j.run
FROM jobs j INDEXED BY jobs_running
WHERE j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
  AND j.status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN')
  AND EXISTS (SELECT 1 FROM tasks t INDEXED BY tasks_struck
              WHERE t.job_id = j.id AND t.state = 'pending' AND t.strikes > 0 AND t.strikes >= $1
                AND t.grant_id IS NULL AND t.run = j.run)
ORDER BY j.id
LIMIT $2
