-- Frees tasks by an answer, with the strikes that it leaves them: suspects of a batch error, and others.
-- $1 [[job, capture, strikes, to whom it went, suspect], …].
UPDATE tasks SET
    grant_id = NULL, lease_until = NULL, suspect = e.value->>4, strikes = e.value->>2,
    history = CASE WHEN strikes = e.value->>2 THEN history WHEN history = '' THEN e.value->>3
                   ELSE history || ', ' || (e.value->>3) END
FROM json_each($1) e
WHERE tasks.job_id = e.value->>0 AND tasks.capture_id = e.value->>1
