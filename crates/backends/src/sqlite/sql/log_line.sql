-- A line in a job's log. $1 job, $2 now, $3 level, $4 text, $5 capture or NULL.
INSERT INTO job_logs (job_id, at, level, message, capture_id) VALUES ($1, $2, $3, $4, $5)
