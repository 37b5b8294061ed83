-- How many tasks a job has. $1 job.
SELECT count(*) FROM tasks WHERE job_id = $1
