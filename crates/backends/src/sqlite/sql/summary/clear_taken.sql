-- Removes rows of the summary of a job. $1 job, $2 limit.
DELETE FROM taken_index WHERE (job_id, half_hour, capture_id) IN (SELECT job_id, half_hour, capture_id FROM taken_index WHERE job_id = $1 LIMIT $2)
