-- Adds detections to the index of labels. $1 [[job_id, label_id, rank, capture_id, n], …] as one array, in the order of their keys.
-- None is there: what was is cleared first, and a slice is written once. ON CONFLICT would write a third record of the WAL for each.
INSERT INTO label_index (job_id, label_id, rank, capture_id, n)
SELECT a[i], a[i + 1], a[i + 2], a[i + 3], a[i + 4]
FROM (SELECT $1::bigint[] AS a OFFSET 0) rows CROSS JOIN generate_series(1, cardinality(a), 5) AS i
