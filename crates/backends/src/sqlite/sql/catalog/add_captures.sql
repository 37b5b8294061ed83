-- Captures by URL that the project does not have, in the order of the list. $1 project, $2 list (JSON).
-- The index is partial; without its condition SQLite knows none to find the conflict by.
INSERT INTO captures (project_id, url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest)
SELECT $1, j.value ->> 'url', j.value ->> 'taken_at', j.value ->> 'taken_offset', j.value ->> 'width',
       j.value ->> 'height', j.value ->> 'camera', j.value ->> 'file_size', j.value ->> 'file_modified', j.value ->> 'file_digest'
FROM json_each($2) AS j
WHERE j.value ->> 'url' <> ''
ORDER BY j.key
ON CONFLICT (project_id, url) WHERE url <> '' DO NOTHING
