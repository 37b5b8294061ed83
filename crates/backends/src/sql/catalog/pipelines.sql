-- What slugs mean now: in one project, with the times of that, or in any. $1 project or NULL, $2 limit, $3 offset.
SELECT p.id, p.slug, p.name, p.version, p.description, p.version_name, p.stages,
       coalesce(pp.created_at, p.created_at) AS created_at, coalesce(pp.updated_at, p.updated_at) AS updated_at
FROM pipelines p LEFT JOIN pipeline_pointers pp ON pp.project_id = $1 AND pp.slug = p.slug AND pp.pipeline_id = p.id
WHERE pp.pipeline_id IS NOT NULL
   OR (CAST($1 AS bigint) IS NULL AND EXISTS (SELECT 1 FROM pipeline_pointers any_pp WHERE any_pp.slug = p.slug AND any_pp.pipeline_id = p.id))
ORDER BY p.id
LIMIT $2 OFFSET $3
