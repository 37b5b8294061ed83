-- A page of the named sets. $1 project or NULL, $2 limit, $3 offset.
SELECT c.id, c.project_id, c.name, c.created_at, c.updated_at,
       (SELECT COUNT(*) FROM collection_captures AS cc WHERE cc.collection_id = c.id) AS captures
FROM collections AS c
WHERE (CAST($1 AS bigint) IS NULL OR c.project_id = $1) AND c.name <> ''
ORDER BY c.id
LIMIT $2 OFFSET $3
