-- The job and the hour of the oldest minute before one, by job_minutes_old. $1 minute.
SELECT job_id, minute - minute % 60 FROM job_minutes WHERE step = 1 AND minute < $1 ORDER BY minute LIMIT 1
