-- As log.sql, of the errors, by job_logs_errors. $1 job.
SELECT id, at, level, message, capture_id FROM job_logs INDEXED BY job_logs_errors
WHERE job_id = $1 AND level = 'ERROR'
