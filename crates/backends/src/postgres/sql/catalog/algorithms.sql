-- In the order of the list. $1 algorithms, $2 project that must have had them, or NULL.
SELECT a.id, a.key, a.version, a.name, a.task_type, a.description, a.version_name, a.uri, a.category_map_id,
       a.created_at, a.updated_at, m.map
FROM unnest($1::bigint[]) WITH ORDINALITY AS e (id, at)
JOIN algorithms AS a ON a.id = e.id
LEFT JOIN category_maps AS m ON m.id = a.category_map_id
WHERE ($2::bigint IS NULL OR EXISTS (
        SELECT 1 FROM pipeline_algorithms pa JOIN project_pipelines had ON had.pipeline_id = pa.pipeline_id
        WHERE pa.algorithm_id = a.id AND had.project_id = $2))
ORDER BY e.at
