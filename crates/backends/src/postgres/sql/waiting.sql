-- Active jobs with a task that may be handed out: its condition is that of grant_pick.sql, or a job is shown that has
-- nothing for anybody. $1 slugs (empty for any), $2 project or NULL, $3 budget.
-- No EXISTS: that may become a join over all tasks; this looks into tasks_free for each job, from its end, because what is
-- leased is at its beginning.
SELECT j.id, p.slug, j.priority, coalesce(j.started_at, j.created_at) AS since
FROM jobs j JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
  AND (cardinality($1::text[]) = 0 OR p.slug = ANY ($1))
  AND ($2::bigint IS NULL OR j.project_id = $2)
  AND (SELECT true FROM tasks t WHERE t.job_id + 0 = j.id AND t.state = 'pending'
           AND CASE WHEN t.grant_id IS NULL AND t.run = j.run AND t.strikes < $3 THEN true END
       ORDER BY t.ord DESC LIMIT 1)
ORDER BY j.priority DESC, j.id
LIMIT 500
