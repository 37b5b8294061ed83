-- What was learnt of captures; what is NULL stays. A time comes with its zone, and a file's size with its time and digest.
-- $1 list (JSON).
UPDATE captures
SET url           = coalesce(e.value ->> 'url', url),
    taken_offset  = CASE WHEN e.value ->> 'taken_at' IS NULL THEN taken_offset ELSE e.value ->> 'taken_offset' END,
    taken_at      = coalesce(e.value ->> 'taken_at', taken_at),
    width         = coalesce(e.value ->> 'width', width),
    height        = coalesce(e.value ->> 'height', height),
    camera        = coalesce(e.value ->> 'camera', camera),
    file_digest   = CASE WHEN e.value ->> 'file_size' IS NULL THEN file_digest ELSE e.value ->> 'file_digest' END,
    file_modified = coalesce(e.value ->> 'file_modified', file_modified),
    file_size     = coalesce(e.value ->> 'file_size', file_size)
FROM json_each($1) AS e
WHERE captures.id = e.value ->> 'id'
