-- The id of the next job of a store that was just made. $1 id.
SELECT setval(pg_get_serial_sequence('jobs', 'id'), $1, false)
