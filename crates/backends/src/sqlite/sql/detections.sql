-- A page of a job's detections. ?1 job, ?2 after, ?3 limit.
SELECT d.id AS detection_id, d.job_id, d.x1, d.y1, d.x2, d.y2, d.score, a.key AS detector, c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera,
       c.file_size, c.file_modified, c.file_digest
FROM detections d JOIN captures c ON c.id = d.capture_id JOIN algorithms a ON a.id = d.algorithm_id
WHERE d.job_id = ?1 AND d.id > ?2
ORDER BY d.id
LIMIT ?3
