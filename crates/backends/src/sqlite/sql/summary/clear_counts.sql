-- Removes rows of the summary of a job. $1 job, $2 limit.
DELETE FROM label_counts WHERE (job_id, label_id, bin) IN (SELECT job_id, label_id, bin FROM label_counts WHERE job_id = $1 LIMIT $2)
