-- Active jobs with a task that may be handed out: its condition is that of grant_pick.sql, or a job is shown that has
-- nothing for anybody. $1 slugs (JSON, empty for any), $2 project or NULL, $3 budget.
-- From the end, because what is leased is at the beginning.
SELECT j.id, p.slug, j.priority, ifnull(j.started_at, j.created_at) AS since
FROM jobs j INDEXED BY jobs_served JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
  AND ($1 = '[]' OR p.slug IN (SELECT value FROM json_each($1)))
  AND ($2 IS NULL OR j.project_id = $2)
  AND (SELECT 1 FROM tasks t INDEXED BY tasks_pending
       WHERE t.job_id = j.id AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run AND t.strikes < $3
       ORDER BY t.ord DESC LIMIT 1)
ORDER BY j.priority DESC, j.id
LIMIT 500
