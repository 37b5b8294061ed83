-- The next job gets this id, unless a higher one was given already. $1 id.
SELECT setval(s.name, $1, false)
FROM pg_get_serial_sequence('jobs', 'id') AS s (name)
WHERE $1 > coalesce(pg_sequence_last_value(s.name::regclass), 0)
