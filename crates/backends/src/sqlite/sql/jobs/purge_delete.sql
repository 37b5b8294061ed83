-- Removes tasks of a deleted job. $1 job, $2 captures (JSON).
DELETE FROM tasks INDEXED BY tasks_image WHERE job_id = $1 AND capture_id IN (SELECT value FROM json_each($2))
