-- Adds up detections by label and half-hour. $1 [[job_id, label_id, half_hour, n], …] as one array, in the order of their keys.
INSERT INTO activity (job_id, label_id, half_hour, n)
SELECT a[i], a[i + 1], a[i + 2], a[i + 3]
FROM (SELECT $1::bigint[] AS a OFFSET 0) rows CROSS JOIN generate_series(1, cardinality(a), 4) AS i
ON CONFLICT (job_id, label_id, half_hour) DO UPDATE SET n = activity.n + excluded.n
