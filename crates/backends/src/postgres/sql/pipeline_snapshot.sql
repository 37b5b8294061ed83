-- The algorithms of a pipeline as a job keeps them, and what tells two runs that do the same work. $1 pipeline.
SELECT coalesce(json_agg(json_build_array(a.id, a.category_map_id) ORDER BY a.key COLLATE "C", a.version)::text, '[]') AS algorithms,
       string_agg(a.key || '@' || a.version, ' ' ORDER BY a.key COLLATE "C", a.version) AS fingerprint
FROM pipeline_algorithms pa JOIN algorithms a ON a.id = pa.algorithm_id
WHERE pa.pipeline_id = $1
