-- Leases that are over. $1 [[job, capture, strikes, history, lost detail or null, suspect, returned], …], $2 now.
-- Of a suspect that dies again the first death stays: an answer to that one clears the others.
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
