-- Adds photographs to the index of times. $1 [[job_id, half_hour, capture_id], …] as one array, in the order of their keys.
INSERT INTO taken_index (job_id, half_hour, capture_id)
SELECT a[i], a[i + 1], a[i + 2]
FROM (SELECT $1::bigint[] AS a OFFSET 0) rows CROSS JOIN generate_series(1, cardinality(a), 3) AS i
ON CONFLICT (job_id, half_hour, capture_id) DO NOTHING
