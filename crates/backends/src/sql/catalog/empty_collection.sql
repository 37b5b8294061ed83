-- Removes the captures of a set to which no job refers from it. $1 set.
DELETE FROM collection_captures WHERE collection_id = $1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE collection_id = $1)
