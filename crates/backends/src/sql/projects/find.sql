-- A project. $1 project.
SELECT id, name, description, settings, created_at, updated_at, time_zone FROM projects WHERE id = $1
