SELECT id, slug, name, version, description, version_name, stages, created_at, updated_at
FROM pipelines
WHERE $1::bigint IS NULL
   OR id IN (SELECT pipeline_id FROM project_pipelines WHERE project_id = $1)
ORDER BY id
LIMIT $2 OFFSET $3
