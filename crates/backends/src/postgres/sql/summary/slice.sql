-- The next detections of a job. $1 job, $2 to $4 after: ord, capture and number, $5 and $6 before: ord and capture, $7 limit.
SELECT d.ord, d.capture_id, d.n, d.score
FROM detections d
WHERE (d.job_id, d.ord, d.capture_id, d.n) > ($1, $2, $3, $4) AND (d.job_id, d.ord, d.capture_id) < ($1, $5, $6)
ORDER BY d.job_id, d.ord, d.capture_id, d.n
LIMIT (SELECT $7::bigint)
