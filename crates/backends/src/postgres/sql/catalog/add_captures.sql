-- Captures by URL that the project does not have, in the order of the list. $1 project, $2 list (JSON).
-- The index is partial, so the conflict repeats its condition.
INSERT INTO captures (project_id, url, url_hash, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest)
SELECT $1, e.url, sha256(convert_to(e.url, 'UTF8')), e.taken_at, e.taken_offset, e.width, e.height, e.camera, e.file_size,
       e.file_modified, e.file_digest
FROM ROWS FROM (json_to_recordset($2::json)
                AS (url text, taken_at bigint, taken_offset smallint, width bigint, height bigint, camera text, file_size bigint,
                    file_modified bigint, file_digest text)) WITH ORDINALITY
     AS e (url, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest, at)
WHERE e.url <> ''
ORDER BY e.at
ON CONFLICT (project_id, url_hash) WHERE url <> '' DO NOTHING
