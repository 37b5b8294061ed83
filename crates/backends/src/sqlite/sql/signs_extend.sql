-- Until when a worker's leases are extended. $1 worker, $2 from, $3 until, $4 its recent answers.
UPDATE workers SET extend_from = $2, extended_until = $3, recent_answers = $4 WHERE id = $1
