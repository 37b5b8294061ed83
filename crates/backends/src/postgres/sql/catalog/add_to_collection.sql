-- `url <> ''` lets the partial index serve it. $1 set, $2 project, $3 hashes of URLs.
INSERT INTO collection_captures (collection_id, capture_id)
SELECT $1, c.id
FROM captures c
WHERE c.project_id = $2 AND c.url_hash = ANY ($3) AND c.url <> ''
ORDER BY c.id
ON CONFLICT DO NOTHING
