-- Extends leases. $1 jobs, $2 captures, $3 until when at least.
UPDATE tasks t SET lease_until = greatest(t.lease_until, $3)
FROM unnest($1::bigint[], $2::bigint[]) AS e (job_id, capture_id)
WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
