-- What a slug means from now on. $1 project, $2 slug, $3 definition, $4 now.
INSERT INTO pipeline_pointers (project_id, slug, pipeline_id, created_at, updated_at)
VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (project_id, slug) DO UPDATE SET pipeline_id = excluded.pipeline_id, updated_at = excluded.updated_at
