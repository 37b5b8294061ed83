-- In the order of the list. $1 algorithms.
SELECT a.id, a.key, a.version, a.name, a.task_type, a.description, a.version_name, a.uri, a.category_map_id,
       a.created_at, a.updated_at, m.map
FROM unnest($1::bigint[]) WITH ORDINALITY AS e (id, at)
JOIN algorithms AS a ON a.id = e.id
LEFT JOIN category_maps AS m ON m.id = a.category_map_id
ORDER BY e.at
