-- Whether a job has a task that may be handed out: the condition of waiting.sql. $1 job, $2 budget.
SELECT EXISTS (SELECT 1 FROM jobs j JOIN pipelines p ON p.id = j.pipeline_id
    WHERE j.id = $1 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
      AND (SELECT 1 FROM tasks t INDEXED BY tasks_pending
           WHERE t.job_id = j.id AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run AND t.strikes < $2
           ORDER BY t.ord DESC LIMIT 1))
