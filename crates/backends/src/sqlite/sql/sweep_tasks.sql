-- The tasks that those grants still hold. $1 [[grant, job, capture], …].
SELECT t.grant_id, t.job_id, t.capture_id, t.run, t.delivery, t.delivery_base, t.strikes, t.suspect, t.returns, t.lease_until,
       t.history, j.status, j.run AS job_run
FROM json_each($1) e
CROSS JOIN tasks t ON t.job_id = e.value->>1 AND t.capture_id = e.value->>2
CROSS JOIN jobs j ON j.id = t.job_id
WHERE t.grant_id = e.value->>0 AND t.state = 'pending'
ORDER BY t.job_id, t.capture_id
