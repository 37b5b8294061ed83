-- Named sets of a project that are older than one, newest first. $1 before, $2 limit, $3 how far captures are counted,
-- $4 project.
SELECT c.id, c.project_id, c.name, c.created_at, c.updated_at,
       (SELECT COUNT(*) FROM (SELECT 1 AS one FROM collection_captures AS cc WHERE cc.collection_id = c.id LIMIT $3) AS few) AS captures
FROM collections AS c
WHERE c.project_id = $4 AND c.id < $1 AND c.name <> ''
ORDER BY c.id DESC
LIMIT $2
