-- Whether a job has a free suspect. $1 job, $2 budget.
SELECT EXISTS (
    SELECT 1 FROM tasks t JOIN jobs j ON j.id = t.job_id
    WHERE t.job_id = $1 AND t.state = 'pending' AND t.suspect AND t.grant_id IS NULL AND t.run = j.run
      AND t.strikes < $2 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
