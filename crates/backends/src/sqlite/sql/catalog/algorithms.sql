-- In the order of the list. $1 algorithms (JSON), $2 project that must have had them, or NULL.
SELECT a.id, a.key, a.version, a.name, a.task_type, a.description, a.version_name, a.uri, a.category_map_id,
       a.created_at, a.updated_at, m.map
FROM json_each($1) AS j
JOIN algorithms AS a ON a.id = j.value
LEFT JOIN category_maps AS m ON m.id = a.category_map_id
WHERE ($2 IS NULL OR EXISTS (
        SELECT 1 FROM pipeline_algorithms pa JOIN project_pipelines had ON had.pipeline_id = pa.pipeline_id
        WHERE pa.algorithm_id = a.id AND had.project_id = $2))
ORDER BY j.key
