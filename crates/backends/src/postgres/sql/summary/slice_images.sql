-- What a slice tells of images: how many detections they have, and when they were taken. $1 job, $2 [[ord, capture_id], …] as one array.
SELECT t.capture_id, t.n_detections, c.taken_at, c.taken_offset
FROM (SELECT a[i + 1] AS id FROM (SELECT $2::bigint[] AS a OFFSET 0) rows CROSS JOIN generate_series(1, cardinality(a), 2) AS i) e
CROSS JOIN LATERAL (SELECT t.capture_id, t.n_detections FROM tasks t WHERE t.job_id = $1 AND t.capture_id = e.id OFFSET 0) t
CROSS JOIN LATERAL (SELECT c.taken_at, c.taken_offset FROM captures c WHERE c.id = e.id OFFSET 0) c
