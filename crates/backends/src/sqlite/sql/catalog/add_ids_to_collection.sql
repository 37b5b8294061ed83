-- Puts captures into a set. $1 set, $2 captures (JSON).
INSERT INTO collection_captures (collection_id, capture_id)
SELECT $1, j.value FROM json_each($2) AS j
