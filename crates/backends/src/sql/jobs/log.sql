-- The log of a job; the code adds what narrows it, and its order. $1 job.
SELECT id, at, level, message, capture_id FROM job_logs WHERE job_id = $1
