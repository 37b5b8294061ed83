-- A set to which no job refers. $1 set.
DELETE FROM collections
WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE collection_id = $1)
