-- Active jobs with a free task. $1 slugs (empty for any), $2 project or NULL.
SELECT j.id, p.slug, j.priority, coalesce(j.started_at, j.created_at) AS since
FROM jobs j JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
  AND (cardinality($1::text[]) = 0 OR p.slug = ANY ($1))
  AND ($2::bigint IS NULL OR j.project_id = $2)
  AND EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = j.id AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run)
ORDER BY j.priority DESC, j.id
LIMIT 500
