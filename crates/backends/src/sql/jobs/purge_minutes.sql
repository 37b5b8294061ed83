-- Removes what a deleted job settled in each minute. $1 job.
DELETE FROM job_minutes WHERE job_id = $1
