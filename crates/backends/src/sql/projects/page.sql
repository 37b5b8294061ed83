-- A page of the projects. $1 the only one to be seen, or NULL, $2 limit, $3 offset.
SELECT id, name, description, settings, created_at, updated_at, time_zone FROM projects
WHERE CAST($1 AS bigint) IS NULL OR id = $1
ORDER BY id LIMIT $2 OFFSET $3
