-- A new set. $1 project, $2 name, $3 now.
INSERT INTO collections (project_id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)
RETURNING id, project_id, name, created_at, updated_at, CAST(0 AS bigint) AS captures
