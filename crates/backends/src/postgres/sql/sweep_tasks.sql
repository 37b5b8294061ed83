-- The tasks that those grants still hold, locked in the order of A10; what a settlement holds is skipped.
-- $1 grants, $2 jobs, $3 captures.
SELECT t.grant_id, t.job_id, t.capture_id, t.run, t.delivery, t.delivery_base, t.strikes, t.suspect, t.returns, t.lease_until,
       t.history, j.status, j.run AS job_run
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS e (grant_id, job_id, capture_id)
JOIN tasks t ON t.job_id = e.job_id AND t.capture_id = e.capture_id
JOIN jobs j ON j.id = t.job_id
-- A task under a lease is pending. To say so would bring in an index of all that is pending (docs/adr/0008).
WHERE t.grant_id = e.grant_id
ORDER BY t.job_id, t.capture_id
FOR NO KEY UPDATE OF t SKIP LOCKED
