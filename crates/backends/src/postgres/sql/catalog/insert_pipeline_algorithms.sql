-- The algorithms of a new pipeline, in their order. $1 pipeline, $2 algorithms.
INSERT INTO pipeline_algorithms (pipeline_id, position, algorithm_id)
SELECT $1, e.at - 1, e.id FROM unnest($2::bigint[]) WITH ORDINALITY AS e (id, at)
