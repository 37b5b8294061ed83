-- Adds detections to the index of labels. $1 [[job_id, label_id, rank, capture_id, n], …] (JSON).
INSERT INTO label_index (job_id, label_id, rank, capture_id, n)
SELECT e.value->>0, e.value->>1, e.value->>2, e.value->>3, e.value->>4 FROM json_each($1) AS e WHERE true
ON CONFLICT (job_id, label_id, rank, capture_id, n) DO NOTHING
