-- Puts captures into a set. $1 set, $2 captures.
INSERT INTO collection_captures (collection_id, capture_id) SELECT $1, unnest($2::bigint[])
