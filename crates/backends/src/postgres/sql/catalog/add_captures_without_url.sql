-- An empty URL names nothing, so each of them is a capture of its own. $1 project, $2 URLs, $3 their hashes, $4 taken at,
-- $5 widths, $6 heights, $7 the set.
WITH made AS (
    INSERT INTO captures (project_id, url, url_hash, taken_at, width, height)
    SELECT $1, '', e.url_hash, e.taken_at, e.width, e.height
    FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY
         AS e (url, url_hash, taken_at, width, height, at)
    WHERE e.url = ''
    ORDER BY e.at
    RETURNING id
)
INSERT INTO collection_captures (collection_id, capture_id) SELECT $7, id FROM made
