-- Changes what is given of a project. $1 project, $2 name, $3 description, $4 now.
UPDATE projects SET name = coalesce($2, name), description = coalesce($3, description), updated_at = $4
WHERE id = $1
RETURNING id, name, description, settings, created_at, updated_at, time_zone
