-- A category map. $1 map, $2 project that must have had it, or NULL.
SELECT m.map FROM category_maps m
WHERE m.id = $1 AND (CAST($2 AS bigint) IS NULL OR EXISTS (
    SELECT 1 FROM algorithms a
    JOIN pipeline_algorithms pa ON pa.algorithm_id = a.id
    JOIN project_pipelines had ON had.pipeline_id = pa.pipeline_id
    WHERE a.category_map_id = m.id AND had.project_id = $2))
