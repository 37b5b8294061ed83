-- As log.sql, of the warnings and errors, by job_logs_bad. $1 job.
SELECT id, at, level, message, capture_id FROM job_logs WHERE job_id + 0 = $1 AND level IN ('WARNING', 'ERROR')
