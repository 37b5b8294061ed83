-- The first project of a new store. $1 now.
INSERT INTO projects (id, name, created_at, updated_at)
SELECT 1, 'Default', $1, $1 WHERE NOT EXISTS (SELECT 1 FROM projects)
