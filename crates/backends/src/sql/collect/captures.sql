-- The next captures of a job's set. $1 set, $2 after, $3 the last that belongs to the run, $4 limit.
SELECT capture_id FROM collection_captures
WHERE collection_id = $1 AND capture_id > $2 AND capture_id <= $3
ORDER BY capture_id
LIMIT $4
