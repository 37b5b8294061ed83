-- Adds photographs to the index of times. $1 [[job_id, half_hour, capture_id], …] (JSON).
INSERT INTO taken_index (job_id, half_hour, capture_id)
SELECT e.value->>0, e.value->>1, e.value->>2 FROM json_each($1) AS e WHERE true
ON CONFLICT (job_id, half_hour, capture_id) DO NOTHING
