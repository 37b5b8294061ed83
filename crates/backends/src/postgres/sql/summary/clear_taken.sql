-- Removes rows of the summary of a job. $1 job, $2 limit.
DELETE FROM taken_index WHERE ctid = ANY (ARRAY (SELECT ctid FROM taken_index WHERE job_id = $1 LIMIT (SELECT $2::bigint)))
