-- A set with its size. $1 set.
SELECT c.id, c.project_id, c.name, c.created_at, c.updated_at,
       (SELECT COUNT(*) FROM collection_captures AS cc WHERE cc.collection_id = c.id) AS captures
FROM collections AS c
WHERE c.id = $1
