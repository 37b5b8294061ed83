-- The detections of tasks. ?1 [[job, capture], …] (JSON).
SELECT d.id AS detection_id, d.job_id, d.x1, d.y1, d.x2, d.y2, d.score, a.key AS detector, c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera,
       c.file_size, c.file_modified, c.file_digest
FROM json_each(?1) e
CROSS JOIN detections d ON d.job_id = e.value ->> 0 AND d.capture_id = e.value ->> 1
JOIN captures c ON c.id = d.capture_id JOIN algorithms a ON a.id = d.algorithm_id
ORDER BY d.id
