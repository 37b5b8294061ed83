-- A project. $1 project.
SELECT id, name, description, settings, created_at, updated_at FROM projects WHERE id = $1
