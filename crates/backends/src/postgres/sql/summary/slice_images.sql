-- What a slice tells of images: how many detections they have, and when they were taken. $1 job, $2 [[ord, capture_id], …] (JSON).
SELECT t.capture_id, t.n_detections, c.taken_at, c.taken_offset
FROM (SELECT (e->>1)::bigint AS id FROM json_array_elements($2::text::json) AS e) e
CROSS JOIN LATERAL (SELECT t.capture_id, t.n_detections FROM tasks t WHERE t.job_id = $1 AND t.capture_id = e.id OFFSET 0) t
CROSS JOIN LATERAL (SELECT c.taken_at, c.taken_offset FROM captures c WHERE c.id = e.id OFFSET 0) c
