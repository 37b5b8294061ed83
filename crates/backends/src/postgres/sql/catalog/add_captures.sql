-- What the project has already, by URL, is not stored again. The index is partial, so the conflict repeats its
-- condition. In the order of the list.
-- $1 project, $2 URLs, $3 their hashes, $4 taken at, $5 its offsets, $6 widths, $7 heights, $8 cameras, $9 to $11 sizes,
-- times and digests of files.
INSERT INTO captures (project_id, url, url_hash, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest)
SELECT $1, e.url, e.url_hash, e.taken_at, e.taken_offset, e.width, e.height, e.camera, e.file_size, e.file_modified, e.file_digest
FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::smallint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[],
            $10::bigint[], $11::text[]) WITH ORDINALITY
     AS e (url, url_hash, taken_at, taken_offset, width, height, camera, file_size, file_modified, file_digest, at)
WHERE e.url <> ''
ORDER BY e.at
ON CONFLICT (project_id, url_hash) WHERE url <> '' DO NOTHING
