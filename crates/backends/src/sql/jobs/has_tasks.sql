-- Whether a job has tasks. $1 job.
SELECT EXISTS (SELECT 1 FROM tasks WHERE job_id = $1)
