-- Captures that have one of these URLs. $1 project, $2 URLs (JSON). CROSS JOIN keeps the list outside, so that each is one look-up.
SELECT DISTINCT c.id FROM json_each($2) AS e CROSS JOIN captures AS c
WHERE c.project_id = $1 AND c.url = e.value AND c.url <> ''
ORDER BY c.id
