-- A capture. $1 capture.
SELECT id, project_id, url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest
FROM captures
WHERE id = $1
