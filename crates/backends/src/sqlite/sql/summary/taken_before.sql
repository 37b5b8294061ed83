-- The images of a job that were taken from a half-hour on, back from one. $1 job, $2 half-hour, $3 and $4 half-hour and capture,
-- $5 limit.
SELECT i.half_hour, c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera, c.file_size, c.file_modified,
       c.file_digest, t.state, t.settled_at, t.n_detections
FROM taken_index i
CROSS JOIN tasks t INDEXED BY tasks_image ON t.job_id = i.job_id AND t.capture_id = i.capture_id
CROSS JOIN captures c ON c.id = i.capture_id
WHERE i.job_id = $1 AND i.half_hour >= $2 AND (i.half_hour, i.capture_id) < ($3, $4)
ORDER BY i.half_hour DESC, i.capture_id DESC
LIMIT $5
