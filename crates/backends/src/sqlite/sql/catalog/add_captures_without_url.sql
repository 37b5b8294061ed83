-- An empty URL names nothing, so each of them is a capture of its own. $1 project, $2 list (JSON).
INSERT INTO captures (project_id, url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest)
SELECT $1, '', j.value ->> 'taken_at', j.value ->> 'taken_offset', j.value ->> 'width',
       j.value ->> 'height', j.value ->> 'camera', j.value ->> 'file_size', j.value ->> 'file_modified', j.value ->> 'file_digest'
FROM json_each($2) AS j
WHERE j.value ->> 'url' = ''
ORDER BY j.key
RETURNING id
