-- As log.sql, of the lines about one image, by job_logs_capture. $1 job, $2 capture.
SELECT id, at, level, message, capture_id FROM job_logs INDEXED BY job_logs_capture
WHERE job_id = $1 AND capture_id IS NOT NULL AND capture_id = $2
