-- A new project. $1 name, $2 description, $3 settings, $4 now, $5 time zone.
INSERT INTO projects (name, description, settings, created_at, updated_at, time_zone)
VALUES ($1, $2, $3, $4, $4, $5)
RETURNING id, name, description, settings, created_at, updated_at, time_zone
