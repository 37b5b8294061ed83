-- Adds up detections by label and half-hour. $1 [[job_id, label_id, half_hour, n], …] (JSON).
INSERT INTO activity (job_id, label_id, half_hour, n)
SELECT e.value->>0, e.value->>1, e.value->>2, e.value->>3 FROM json_each($1) AS e WHERE true
ON CONFLICT (job_id, label_id, half_hour) DO UPDATE SET n = n + excluded.n
