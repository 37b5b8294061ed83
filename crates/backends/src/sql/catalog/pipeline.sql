-- A definition, of one project if it ever had it, with the times of its pointer there. $1 project or NULL, $2 pipeline.
SELECT p.id, p.slug, p.name, p.version, p.description, p.version_name, p.stages,
       coalesce(pp.created_at, p.created_at) AS created_at, coalesce(pp.updated_at, p.updated_at) AS updated_at
FROM pipelines p LEFT JOIN pipeline_pointers pp ON pp.project_id = $1 AND pp.slug = p.slug AND pp.pipeline_id = p.id
WHERE p.id = $2
  AND (CAST($1 AS bigint) IS NULL OR EXISTS (SELECT 1 FROM project_pipelines had WHERE had.project_id = $1 AND had.pipeline_id = p.id))
