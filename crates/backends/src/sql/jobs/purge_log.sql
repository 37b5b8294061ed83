-- Removes lines of a deleted job's log. $1 job, $2 limit.
DELETE FROM job_logs WHERE id IN (SELECT id FROM job_logs WHERE job_id = $1 LIMIT $2)
