-- Adds photographs to the index of times. $1 [[job_id, half_hour, capture_id], …] (JSON), in the order of their keys.
INSERT INTO taken_index (job_id, half_hour, capture_id)
SELECT (e->>0)::bigint, (e->>1)::bigint, (e->>2)::bigint
FROM json_array_elements($1::text::json) AS e
ON CONFLICT (job_id, half_hour, capture_id) DO NOTHING
