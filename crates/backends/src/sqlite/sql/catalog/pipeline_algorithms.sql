-- The algorithms of pipelines, in their order. $1 pipelines (JSON).
SELECT pa.pipeline_id, a.id, a.key, a.version, a.name, a.task_type, a.description, a.version_name, a.uri,
       a.category_map_id, a.created_at, a.updated_at
FROM pipeline_algorithms AS pa
JOIN algorithms AS a ON a.id = pa.algorithm_id
WHERE pa.pipeline_id IN (SELECT value FROM json_each($1))
ORDER BY pa.pipeline_id, pa.position
