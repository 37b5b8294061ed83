-- Takes the minutes of an hour of a job. $1 job, $2 the hour's first minute.
DELETE FROM job_minutes WHERE job_id = $1 AND step = 1 AND minute >= $2 AND minute < $2 + 60 RETURNING processed, failed
