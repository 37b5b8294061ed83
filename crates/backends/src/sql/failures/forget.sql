-- Forgets the groups of older runs. $1 job, $2 run.
DELETE FROM job_failures WHERE job_id = $1 AND run < $2
