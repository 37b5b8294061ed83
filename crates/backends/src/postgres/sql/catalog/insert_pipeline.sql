INSERT INTO pipelines (slug, name, version, description, version_name, stages, created_at, updated_at, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
RETURNING id
