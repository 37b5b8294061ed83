-- Removes the summary of a deleted job. $1 job.
DELETE FROM summaries WHERE job_id = $1
