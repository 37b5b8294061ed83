-- Gives tasks back. $1 jobs, $2 captures, $3 what it adds to the times that they were given back.
UPDATE tasks t SET grant_id = NULL, lease_until = NULL, releases = t.releases + $3
FROM unnest($1::bigint[], $2::bigint[]) AS e (job_id, capture_id)
WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
