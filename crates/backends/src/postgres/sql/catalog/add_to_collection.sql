-- Puts captures into a set by their URLs; `url <> ''` lets the partial index serve it. $1 set, $2 project, $3 list (JSON).
INSERT INTO collection_captures (collection_id, capture_id)
SELECT $1, c.id
FROM captures c
WHERE c.project_id = $2 AND c.url <> ''
  AND c.url_hash = ANY (ARRAY(SELECT sha256(convert_to(e.url, 'UTF8')) FROM json_to_recordset($3::json) AS e (url text)))
ORDER BY c.id
ON CONFLICT DO NOTHING
