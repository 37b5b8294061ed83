-- Captures of a set after one. $1 set, $2 after, $3 limit.
SELECT c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera, c.file_size, c.file_modified, c.file_digest
FROM collection_captures m JOIN captures c ON c.id = m.capture_id
WHERE m.collection_id = $1 AND m.capture_id > $2
ORDER BY m.capture_id
LIMIT $3
