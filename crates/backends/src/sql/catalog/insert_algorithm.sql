-- A new algorithm. $1 key, $2 version, $3 name, $4 kind of task, $5 description, $6 name of the version, $7 URI,
-- $8 category map, $9 now, $10 hash.
INSERT INTO algorithms (key, version, name, task_type, description, version_name, uri, category_map_id,
                        created_at, updated_at, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)
RETURNING id
