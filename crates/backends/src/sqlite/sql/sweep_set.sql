-- Writes the ends of leases as the plan of a sweep has them: strike, suspicion, or the task is lost.
-- $1 [[job, capture, strikes, history, lost detail or null, suspect, returned], …], $2 now.
-- A suspect keeps the grant of its first death: an answer to that grant clears the other suspects of it.
UPDATE tasks SET
    grant_id = NULL, lease_until = NULL, strikes = e.value->>2, history = e.value->>3,
    returns = returns + (e.value->>6),
    died_grant = CASE WHEN e.value->>5 AND NOT suspect THEN grant_id ELSE died_grant END,
    died_delivery = CASE WHEN e.value->>5 AND NOT suspect THEN delivery ELSE died_delivery END,
    suspect = suspect OR (e.value->>5),
    state = CASE WHEN e.value->>4 IS NULL THEN state ELSE 'failed' END,
    reason = CASE WHEN e.value->>4 IS NULL THEN reason ELSE 'lost' END,
    detail = ifnull(e.value->>4, detail),
    settled_at = CASE WHEN e.value->>4 IS NULL THEN settled_at ELSE $2 END
FROM json_each($1) e
WHERE tasks.job_id = e.value->>0 AND tasks.capture_id = e.value->>1
