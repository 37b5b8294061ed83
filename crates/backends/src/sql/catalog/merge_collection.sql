-- Every capture of one set in another. $1 into, $2 from.
INSERT INTO collection_captures (collection_id, capture_id)
SELECT $1, capture_id FROM collection_captures WHERE collection_id = $2
ON CONFLICT DO NOTHING
