-- The algorithms of a new pipeline, in their order. $1 pipeline, $2 algorithms (JSON).
INSERT INTO pipeline_algorithms (pipeline_id, position, algorithm_id)
SELECT $1, j.key, j.value FROM json_each($2) AS j
