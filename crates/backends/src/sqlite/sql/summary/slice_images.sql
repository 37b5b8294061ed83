-- What a slice tells of images: how many detections they have, and when they were taken. $1 job, $2 [[ord, capture_id], …] (JSON).
SELECT t.capture_id, t.n_detections, c.taken_at, c.taken_offset
FROM json_each($2) e
CROSS JOIN tasks t ON t.job_id = $1 AND t.ord = e.value->>0 AND t.capture_id = e.value->>1
CROSS JOIN captures c ON c.id = t.capture_id
