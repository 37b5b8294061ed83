-- Freezes what results of a run may name, and what tells two runs that do the same work; a run that has it keeps it.
-- $1 job, $2 run.
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
SELECT $1, $2, j.pipeline_id, s.algorithms, s.fingerprint
FROM jobs j CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_array(a.id, a.category_map_id) ORDER BY a.key COLLATE "C", a.version)::text, '[]')
               AS algorithms,
           coalesce(string_agg(a.key || '@' || a.version, ' ' ORDER BY a.key COLLATE "C", a.version), '') AS fingerprint
    FROM pipeline_algorithms pa JOIN algorithms a ON a.id = pa.algorithm_id
    WHERE pa.pipeline_id = j.pipeline_id
) s
WHERE j.id = $1
ON CONFLICT DO NOTHING
