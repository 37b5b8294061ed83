-- Replaces a job's errors. $1 job, $2 errors (JSON).
UPDATE jobs SET errors = $2 WHERE id = $1
