-- Removes rows of the summary of a job. $1 job, $2 limit.
DELETE FROM label_counts WHERE ctid = ANY (ARRAY (SELECT ctid FROM label_counts WHERE job_id = $1 LIMIT (SELECT $2::bigint)))
