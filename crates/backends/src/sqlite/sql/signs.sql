-- Signs of life of a worker. $1 worker.
SELECT extend_from, extended_until, recent_answers FROM workers WHERE id = $1
