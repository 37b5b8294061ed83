-- Removes rows of the summary of a job. $1 job, $2 limit.
DELETE FROM activity WHERE (job_id, label_id, half_hour) IN (SELECT job_id, label_id, half_hour FROM activity WHERE job_id = $1 LIMIT $2)
