-- What people call workers. $1 workers.
SELECT id, name FROM workers WHERE id = ANY ($1)
