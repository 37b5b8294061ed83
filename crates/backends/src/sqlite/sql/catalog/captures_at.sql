-- Captures by URL, with or without a fragment. $1 project, $2 list of URLs. '$' is the character behind '#'.
SELECT id, project_id, url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest
FROM captures
WHERE id IN (
    SELECT c.id FROM json_each($2) AS f CROSS JOIN captures AS c
    WHERE c.project_id = $1 AND c.url <> '' AND c.url = f.value
    UNION ALL
    SELECT c.id FROM json_each($2) AS f CROSS JOIN captures AS c
    WHERE c.project_id = $1 AND c.url <> '' AND c.url > f.value || '#' AND c.url < f.value || '$'
)
ORDER BY id
