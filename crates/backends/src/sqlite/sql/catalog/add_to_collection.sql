-- Puts captures into a set by their URLs. $1 set, $2 project, $3 list (JSON).
-- CROSS JOIN keeps the list outside, so that each URL is one look-up; `url <> ''` lets the partial index serve it.
INSERT INTO collection_captures (collection_id, capture_id)
SELECT $1, c.id
FROM json_each($3) AS j
CROSS JOIN captures AS c
WHERE c.project_id = $2 AND c.url = j.value ->> 'url' AND c.url <> ''
ON CONFLICT DO NOTHING
