SELECT a.id, a.key, a.version, a.name, a.task_type, a.description, a.version_name, a.uri, a.category_map_id,
       a.created_at, a.updated_at, m.map
FROM json_each(?1) AS j
JOIN algorithms AS a ON a.id = j.value
LEFT JOIN category_maps AS m ON m.id = a.category_map_id
ORDER BY j.key
