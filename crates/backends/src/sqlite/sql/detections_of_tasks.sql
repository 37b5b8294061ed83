-- The detections of tasks. $1 [[job, capture], …] (JSON).
SELECT d.job_id, d.ord, d.n, d.x1, d.y1, d.x2, d.y2, d.score, a.key AS detector, c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera,
       c.file_size, c.file_modified, c.file_digest
FROM json_each($1) e
CROSS JOIN tasks t ON t.job_id = e.value ->> 0 AND t.capture_id = e.value ->> 1
CROSS JOIN detections d ON d.job_id = t.job_id AND d.ord = t.ord AND d.capture_id = t.capture_id
JOIN captures c ON c.id = d.capture_id JOIN algorithms a ON a.id = d.algorithm_id
ORDER BY d.capture_id, d.job_id, d.n
