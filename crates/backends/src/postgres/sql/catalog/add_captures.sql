-- What the project has already, by URL, is not stored again. The index is partial, so the conflict repeats its
-- condition. In the order of the list.
-- $1 project, $2 URLs, $3 their hashes, $4 taken at, $5 widths, $6 heights.
INSERT INTO captures (project_id, url, url_hash, taken_at, width, height)
SELECT $1, e.url, e.url_hash, e.taken_at, e.width, e.height
FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY
     AS e (url, url_hash, taken_at, width, height, at)
WHERE e.url <> ''
ORDER BY e.at
ON CONFLICT (project_id, url_hash) WHERE url <> '' DO NOTHING
