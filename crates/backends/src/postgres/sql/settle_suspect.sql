-- Frees tasks by an answer, with the strikes that it leaves them: suspects of a batch error, and others. $1 jobs, $2 captures, $3 strikes,
-- $4 to whom each went, $5 whether it is suspect.
UPDATE tasks t SET
    grant_id = NULL, lease_until = NULL, suspect = e.suspect, strikes = e.strikes,
    history = CASE WHEN t.strikes = e.strikes THEN t.history WHEN t.history = '' THEN e.whom
                   ELSE t.history || ', ' || e.whom END
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::boolean[])
     AS e (job_id, capture_id, strikes, whom, suspect)
WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
