-- Adds tasks whose captures have a URL, in the order of their places. $1 job, $2 run, $3 [[capture, ord], …] as one array.
INSERT INTO tasks (job_id, capture_id, ord, run)
SELECT $1, a[i], a[i + 1], $2
FROM (SELECT $3::bigint[] AS a OFFSET 0) rows CROSS JOIN generate_series(1, cardinality(a), 2) AS i
ON CONFLICT DO NOTHING
