-- Active jobs with a task that nobody holds and whose budget is used up: it is handed out to nobody, and no lease of it will
-- end. No EXISTS: that may become a join over all tasks; this looks into tasks_strikes for each job.
-- $1 budget, $2 limit.
SELECT j.id, j.run
FROM jobs j
WHERE j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
  AND (SELECT true FROM tasks t
       WHERE t.job_id * 1 = j.id AND t.state = 'pending' AND t.strikes > 0 AND t.strikes >= $1
         AND CASE WHEN t.grant_id IS NULL AND t.run = j.run THEN true END
       ORDER BY t.strikes DESC LIMIT 1)
ORDER BY j.id
LIMIT $2
