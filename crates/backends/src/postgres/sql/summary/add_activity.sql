-- Adds up detections by label and half-hour. $1 [[job_id, label_id, half_hour, n], …] (JSON), in the order of their keys.
INSERT INTO activity (job_id, label_id, half_hour, n)
SELECT (e->>0)::bigint, (e->>1)::bigint, (e->>2)::bigint, (e->>3)::bigint
FROM json_array_elements($1::text::json) AS e
ON CONFLICT (job_id, label_id, half_hour) DO UPDATE SET n = activity.n + excluded.n
