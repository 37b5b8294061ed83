-- Freezes what results of a run may name, and what tells two runs that do the same work; a run that has it keeps it.
-- ?1 job, ?2 run.
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
SELECT ?1, ?2, j.pipeline_id,
       (SELECT json_group_array(json_array(a.id, a.category_map_id)) FROM (
            SELECT a.id, a.category_map_id FROM pipeline_algorithms pa JOIN algorithms a ON a.id = pa.algorithm_id
            WHERE pa.pipeline_id = j.pipeline_id ORDER BY a.key, a.version) a),
       (SELECT ifnull(group_concat(a.name, ' '), '') FROM (
            SELECT a.key || '@' || a.version AS name FROM pipeline_algorithms pa JOIN algorithms a ON a.id = pa.algorithm_id
            WHERE pa.pipeline_id = j.pipeline_id ORDER BY a.key, a.version) a)
FROM jobs j WHERE j.id = ?1
ON CONFLICT DO NOTHING
