-- Gives tasks back. $1 [[job, capture], …], $2 what it adds to the times that they were given back.
UPDATE tasks SET grant_id = NULL, lease_until = NULL, releases = releases + $2
FROM json_each($1) e
WHERE tasks.job_id = e.value->>0 AND tasks.capture_id = e.value->>1
