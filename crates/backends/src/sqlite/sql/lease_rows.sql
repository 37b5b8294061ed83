-- The rows that receipts name, with what decides whether their leases live. $1 [[job, capture], …].
SELECT t.job_id, t.capture_id, t.run, t.delivery, t.state, t.grant_id, t.granted_at, t.lease_until, t.releases,
       w.extend_from, w.extended_until, w.recent_answers
FROM json_each($1) e
CROSS JOIN tasks t ON t.job_id = e.value->>0 AND t.capture_id = e.value->>1
LEFT JOIN workers w ON w.id = t.holder
