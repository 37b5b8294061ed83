-- Adds up detections by label and score. $1 [[job_id, label_id, bin, n], …] as one array, in the order of their keys.
INSERT INTO label_counts (job_id, label_id, bin, n)
SELECT a[i], a[i + 1], a[i + 2], a[i + 3]
FROM (SELECT $1::bigint[] AS a OFFSET 0) rows CROSS JOIN generate_series(1, cardinality(a), 4) AS i
ON CONFLICT (job_id, label_id, bin) DO UPDATE SET n = label_counts.n + excluded.n
