-- Writes the ends of leases as the plan of a sweep has them: strike, suspicion, or the task is lost.
-- $1 jobs, $2 captures, $3 strikes, $4 histories, $5 lost details or NULL, $6 suspect, $7 returned,
-- $8 now. A suspect keeps the grant of its first death: an answer to that grant clears the other suspects of it.
UPDATE tasks t SET
    grant_id = NULL, lease_until = NULL, strikes = e.strikes, history = e.history,
    returns = t.returns + CASE WHEN e.returned THEN 1 ELSE 0 END,
    died_grant = CASE WHEN e.suspect AND NOT t.suspect THEN t.grant_id ELSE t.died_grant END,
    died_delivery = CASE WHEN e.suspect AND NOT t.suspect THEN t.delivery ELSE t.died_delivery END,
    suspect = t.suspect OR e.suspect,
    state = CASE WHEN e.lost IS NULL THEN t.state ELSE 'failed' END,
    reason = CASE WHEN e.lost IS NULL THEN t.reason ELSE 'lost' END,
    detail = coalesce(e.lost, t.detail),
    settled_at = CASE WHEN e.lost IS NULL THEN t.settled_at ELSE $8 END
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::boolean[], $7::boolean[])
     AS e (job_id, capture_id, strikes, history, lost, suspect, returned)
WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
