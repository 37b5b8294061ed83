-- Freezes what results of a run may name, and what tells two runs that do the same work: the definition that the slug of
-- the job's pipeline means in its project now. A run that has it keeps it. $1 job, $2 run.
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint, groups_failures)
SELECT $1, $2, n.pipeline_id, s.algorithms, s.fingerprint, true
FROM (SELECT coalesce((SELECT pp.pipeline_id FROM pipelines p JOIN pipeline_pointers pp ON pp.slug = p.slug
                       WHERE p.id = j.pipeline_id AND pp.project_id = j.project_id), j.pipeline_id) AS pipeline_id
      FROM jobs j WHERE j.id = $1) n
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_array(a.id, a.category_map_id) ORDER BY a.key COLLATE "C", a.version)::text, '[]')
               AS algorithms,
           coalesce(string_agg(a.key || '@' || a.version, ' ' ORDER BY a.key COLLATE "C", a.version), '') AS fingerprint
    FROM pipeline_algorithms pa JOIN algorithms a ON a.id = pa.algorithm_id
    WHERE pa.pipeline_id = n.pipeline_id
) s
ON CONFLICT DO NOTHING
