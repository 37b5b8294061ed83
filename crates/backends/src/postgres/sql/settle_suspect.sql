-- Suspects of a batch error, free again. $1 jobs, $2 captures, $3 strikes, $4 to whom each went.
UPDATE tasks t SET
    grant_id = NULL, lease_until = NULL, suspect = true, strikes = e.strikes,
    history = CASE WHEN t.strikes = e.strikes THEN t.history WHEN t.history = '' THEN e.whom
                   ELSE t.history || ', ' || e.whom END
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS e (job_id, capture_id, strikes, whom)
WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
