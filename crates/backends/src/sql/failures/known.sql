-- The groups that a run has. $1 job, $2 run.
SELECT id FROM job_failures WHERE job_id = $1 AND run = $2
