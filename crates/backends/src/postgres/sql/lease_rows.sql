-- The rows that receipts name, locked in the order of A10, with what decides whether their leases live.
-- $1 jobs, $2 captures.
SELECT t.job_id, t.capture_id, t.run, t.delivery, t.state, t.grant_id, t.granted_at, t.lease_until, t.releases,
       w.extend_from, w.extended_until, w.recent_answers
FROM unnest($1::bigint[], $2::bigint[]) AS e (job_id, capture_id)
JOIN tasks t ON t.job_id = e.job_id AND t.capture_id = e.capture_id
LEFT JOIN workers w ON w.id = t.holder
ORDER BY t.job_id, t.capture_id
FOR NO KEY UPDATE OF t
