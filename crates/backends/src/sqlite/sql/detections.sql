-- A page of a job's detections. $1 job, $2 and $3 after: capture and number, $4 limit.
SELECT d.job_id, d.ord, d.n, d.x1, d.y1, d.x2, d.y2, d.score, a.key AS detector, c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera,
       c.file_size, c.file_modified, c.file_digest
FROM detections d JOIN captures c ON c.id = d.capture_id JOIN algorithms a ON a.id = d.algorithm_id
WHERE d.job_id = $1
  AND (d.ord, d.capture_id, d.n)
      > (ifnull((SELECT t.ord FROM tasks t WHERE t.job_id = $1 AND t.capture_id = $2), -1), $2, $3)
ORDER BY d.ord, d.capture_id, d.n
LIMIT $4
