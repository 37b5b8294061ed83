-- Whether a job has a free suspect, by tasks_suspects. $1 job, $2 budget.
SELECT EXISTS (
    SELECT 1 FROM tasks t
    WHERE t.job_id - 0 = $1 AND t.state = 'pending' AND t.suspect
      AND CASE WHEN t.grant_id IS NULL AND t.strikes < $2 AND t.run = (
              SELECT j.run FROM jobs j WHERE j.id = $1 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
          THEN true END)
