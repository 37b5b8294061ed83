-- Signs of life of workers, locked by id, because another node may hear of the same ones. $1 workers.
SELECT id, extend_from, extended_until, recent_answers FROM workers WHERE id = ANY ($1)
ORDER BY id FOR NO KEY UPDATE
