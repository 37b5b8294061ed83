-- The images of a job that were taken before a half-hour, beyond one. $1 job, $2 half-hour, $3 and $4 half-hour and capture,
-- $5 limit.
SELECT p.half_hour, c.*, t.state, t.settled_at, t.n_detections
FROM (SELECT i.job_id, i.half_hour, i.capture_id FROM taken_index i
      WHERE i.job_id = $1 AND (i.half_hour, i.capture_id) > ($3, $4) AND i.half_hour < $2
      ORDER BY i.half_hour, i.capture_id
      LIMIT $5) p
CROSS JOIN LATERAL (SELECT t.state, t.settled_at, t.n_detections FROM tasks t
                    WHERE t.job_id = p.job_id AND t.capture_id = p.capture_id OFFSET 0) t
CROSS JOIN LATERAL (SELECT c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera, c.file_size,
                           c.file_modified, c.file_digest
                    FROM captures c WHERE c.id = p.capture_id OFFSET 0) c
ORDER BY p.half_hour, p.capture_id
