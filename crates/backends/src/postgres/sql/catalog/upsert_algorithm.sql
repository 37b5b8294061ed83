-- No row comes back if nothing changed.
INSERT INTO algorithms (key, version, name, task_type, description, version_name, uri, category_map_id,
                        created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
ON CONFLICT (key, version) DO UPDATE SET
    name = excluded.name, task_type = excluded.task_type, description = excluded.description,
    version_name = excluded.version_name, uri = excluded.uri, category_map_id = excluded.category_map_id,
    updated_at = excluded.updated_at
WHERE (algorithms.name, algorithms.task_type, algorithms.description, algorithms.version_name, algorithms.uri,
       algorithms.category_map_id)
   IS DISTINCT FROM (excluded.name, excluded.task_type, excluded.description, excluded.version_name, excluded.uri,
                     excluded.category_map_id)
RETURNING id
