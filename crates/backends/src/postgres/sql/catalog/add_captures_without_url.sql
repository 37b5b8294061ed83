-- An empty URL names nothing, so each of them is a capture of its own. $1 project, $2 list (JSON).
INSERT INTO captures (project_id, url, url_hash, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest)
SELECT $1, '', sha256(''), e.taken_at, e.taken_offset, e.width, e.height, e.camera, e.file_size, e.file_modified, e.file_digest
FROM ROWS FROM (json_to_recordset($2::json)
                AS (url text, taken_at bigint, taken_offset smallint, width bigint, height bigint, camera text, file_size bigint,
                    file_modified bigint, file_digest text)) WITH ORDINALITY
     AS e (url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest, at)
WHERE e.url = ''
ORDER BY e.at
RETURNING id
