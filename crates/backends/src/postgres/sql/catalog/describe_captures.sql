-- What was learnt of captures; what is NULL stays. A time comes with its zone, and a file's size with its time and digest.
-- $1 list (JSON).
UPDATE captures c
SET url           = coalesce(e.url, c.url),
    url_hash      = coalesce(sha256(convert_to(e.url, 'UTF8')), c.url_hash),
    taken_offset  = CASE WHEN e.taken_at IS NULL THEN c.taken_offset ELSE e.taken_offset END,
    taken_at      = coalesce(e.taken_at, c.taken_at),
    width         = coalesce(e.width, c.width),
    height        = coalesce(e.height, c.height),
    camera        = coalesce(e.camera, c.camera),
    file_digest   = CASE WHEN e.file_size IS NULL THEN c.file_digest ELSE e.file_digest END,
    file_modified = coalesce(e.file_modified, c.file_modified),
    file_size     = coalesce(e.file_size, c.file_size)
FROM json_to_recordset($1::json)
     AS e (id bigint, url text, taken_at bigint, taken_offset smallint, width bigint, height bigint, camera text,
           file_size bigint, file_modified bigint, file_digest text)
WHERE c.id = e.id
