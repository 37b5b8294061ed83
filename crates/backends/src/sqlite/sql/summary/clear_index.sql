-- Removes rows of the summary of a job. $1 job, $2 limit.
DELETE FROM label_index WHERE (job_id, label_id, rank, capture_id, n) IN (SELECT job_id, label_id, rank, capture_id, n FROM label_index WHERE job_id = $1 LIMIT $2)
