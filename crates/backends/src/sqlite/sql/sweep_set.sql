-- Leases that are over. ?1 [[job, capture, strikes, history, lost detail or null], …], ?2 now.
UPDATE tasks SET
    grant_id = NULL, lease_until = NULL, strikes = e.value->>2, history = e.value->>3,
    state = CASE WHEN e.value->>4 IS NULL THEN state ELSE 'failed' END,
    reason = CASE WHEN e.value->>4 IS NULL THEN reason ELSE 'lost' END,
    detail = ifnull(e.value->>4, detail),
    settled_at = CASE WHEN e.value->>4 IS NULL THEN settled_at ELSE ?2 END
FROM json_each(?1) e
WHERE tasks.job_id = e.value->>0 AND tasks.capture_id = e.value->>1
