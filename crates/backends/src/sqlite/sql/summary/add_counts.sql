-- Adds up detections by label and score. $1 [[job_id, label_id, bin, n], …] (JSON).
INSERT INTO label_counts (job_id, label_id, bin, n)
SELECT e.value->>0, e.value->>1, e.value->>2, e.value->>3 FROM json_each($1) AS e WHERE true
ON CONFLICT (job_id, label_id, bin) DO UPDATE SET n = n + excluded.n
