-- The time zone of a project. $1 project.
SELECT time_zone FROM projects WHERE id = $1
