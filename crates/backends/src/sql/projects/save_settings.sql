-- Replaces the settings of a project. $1 project, $2 settings.
UPDATE projects SET settings = $2 WHERE id = $1
