-- What people call workers. $1 workers (JSON).
SELECT id, name FROM workers WHERE id IN (SELECT value FROM json_each($1))
