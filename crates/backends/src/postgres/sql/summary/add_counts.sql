-- Adds up detections by label and score. $1 [[job_id, label_id, bin, n], …] (JSON), in the order of their keys.
INSERT INTO label_counts (job_id, label_id, bin, n)
SELECT (e->>0)::bigint, (e->>1)::bigint, (e->>2)::bigint, (e->>3)::bigint
FROM json_array_elements($1::text::json) AS e
ON CONFLICT (job_id, label_id, bin) DO UPDATE SET n = label_counts.n + excluded.n
