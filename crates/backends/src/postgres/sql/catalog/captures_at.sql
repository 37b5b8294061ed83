-- Captures by URL, with or without a fragment. $1 project, $2 URLs.
SELECT id, project_id, url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest
FROM captures
WHERE project_id = $1 AND split_part(url, '#', 1) = ANY($2)
ORDER BY id
