-- Replaces the settings of a project. $1 project, $2 settings, $3 time zone.
UPDATE projects SET settings = $2, time_zone = $3 WHERE id = $1
