INSERT INTO algorithms (key, version, name, task_type, description, version_name, uri, category_map_id,
                        created_at, updated_at, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)
RETURNING id
