-- What was learnt of captures; what is NULL stays. A time comes with its zone, and a file's size with its time and digest.
-- $1 captures, $2 URLs, $3 their hashes, $4 to $11 as in add_captures.sql.
UPDATE captures c
SET url           = coalesce(e.url, c.url),
    url_hash      = coalesce(e.url_hash, c.url_hash),
    taken_offset  = CASE WHEN e.taken_at IS NULL THEN c.taken_offset ELSE e.taken_offset END,
    taken_at      = coalesce(e.taken_at, c.taken_at),
    width         = coalesce(e.width, c.width),
    height        = coalesce(e.height, c.height),
    camera        = coalesce(e.camera, c.camera),
    file_digest   = CASE WHEN e.file_size IS NULL THEN c.file_digest ELSE e.file_digest END,
    file_modified = coalesce(e.file_modified, c.file_modified),
    file_size     = coalesce(e.file_size, c.file_size)
FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[], $5::smallint[], $6::bigint[], $7::bigint[], $8::text[],
            $9::bigint[], $10::bigint[], $11::text[])
     AS e (id, url, url_hash, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest)
WHERE c.id = e.id
