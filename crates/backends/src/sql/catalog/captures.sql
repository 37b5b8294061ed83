-- Captures of a project after one. $1 project, $2 after, $3 limit.
SELECT id, project_id, url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest
FROM captures
WHERE project_id = $1 AND id > $2
ORDER BY id
LIMIT $3
