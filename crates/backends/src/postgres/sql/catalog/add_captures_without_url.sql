-- An empty URL names nothing, so each of them is a capture of its own. $1 to $11 as in
-- add_captures.sql, $12 the set.
WITH made AS (
    INSERT INTO captures (project_id, url, url_hash, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest)
    SELECT $1, '', e.url_hash, e.taken_at, e.taken_offset, e.width, e.height, e.camera, e.file_size, e.file_modified, e.file_digest
    FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::smallint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[],
            $10::bigint[], $11::text[]) WITH ORDINALITY
         AS e (url, url_hash, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest, at)
    WHERE e.url = ''
    ORDER BY e.at
    RETURNING id
)
INSERT INTO collection_captures (collection_id, capture_id) SELECT $12, id FROM made
