-- Extends leases. $1 [[job, capture], …], $2 until when at least.
UPDATE tasks SET lease_until = max(lease_until, $2)
FROM json_each($1) e
WHERE tasks.job_id = e.value->>0 AND tasks.capture_id = e.value->>1
