-- Captures of local files whose content is known, by size. $1 project, $2 list of sizes.
SELECT id, project_id, url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest
FROM captures
WHERE project_id = $1 AND file_digest IS NOT NULL AND url LIKE 'file:%'
  AND file_size IN (SELECT value FROM json_each($2))
ORDER BY id
