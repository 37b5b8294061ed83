-- Forgets what workers did before a time, by worker_minutes_old. $1 the length, $2 minute, $3 how many.
DELETE FROM worker_minutes WHERE (worker_id, step, minute) IN (
    SELECT worker_id, step, minute FROM worker_minutes WHERE step = $1 AND minute < $2 ORDER BY minute LIMIT $3)
