-- As log.sql, of the errors, by job_logs_errors. $1 job.
SELECT id, at, level, message, capture_id FROM job_logs WHERE job_id - 0 = $1 AND level = 'ERROR'
