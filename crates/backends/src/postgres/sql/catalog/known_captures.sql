-- Captures that have one of these URLs. $1 project, $2 URLs. `url <> ''` lets the partial index serve it.
SELECT c.id FROM captures c
WHERE c.project_id = $1 AND c.url <> ''
  AND c.url_hash = ANY (ARRAY(SELECT sha256(convert_to(e.url, 'UTF8')) FROM unnest($2::text[]) AS e (url)))
ORDER BY c.id
