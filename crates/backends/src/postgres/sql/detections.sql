-- A page of a job's detections. $1 job, $2 after, $3 limit.
SELECT d.id, d.capture_id, c.url, d.x1, d.y1, d.x2, d.y2, a.key AS detector
FROM detections d JOIN captures c ON c.id = d.capture_id JOIN algorithms a ON a.id = d.algorithm_id
WHERE d.job_id = $1 AND d.id > $2
ORDER BY d.id
LIMIT $3
