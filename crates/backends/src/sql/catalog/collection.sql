-- A set with its size. $1 set, $2 how far captures are counted.
SELECT c.id, c.project_id, c.name, c.created_at, c.updated_at,
       (SELECT COUNT(*) FROM (SELECT 1 AS one FROM collection_captures AS cc WHERE cc.collection_id = c.id LIMIT $2) AS few) AS captures
FROM collections AS c
WHERE c.id = $1
