-- A new definition of a pipeline. $1 slug, $2 name, $3 version, $4 description, $5 name of the version, $6 stages, $7 now,
-- $8 hash.
INSERT INTO pipelines (slug, name, version, description, version_name, stages, created_at, updated_at, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
RETURNING id
