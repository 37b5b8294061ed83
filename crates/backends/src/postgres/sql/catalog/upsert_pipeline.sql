-- No row comes back if nothing changed.
INSERT INTO pipelines (slug, name, version, description, version_name, stages, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (slug) DO UPDATE SET
    name = excluded.name, version = excluded.version, description = excluded.description,
    version_name = excluded.version_name, stages = excluded.stages, updated_at = excluded.updated_at
WHERE (pipelines.name, pipelines.version, pipelines.description, pipelines.version_name, pipelines.stages)
   IS DISTINCT FROM (excluded.name, excluded.version, excluded.description, excluded.version_name, excluded.stages)
RETURNING id
