-- The oldest lease of a job. $1 job.
SELECT t.granted_at, t.lease_until, ifnull(w.name, 'unknown worker') AS worker, w.last_seen
FROM grants g INDEXED BY grants_held
CROSS JOIN json_each(g.captures) e
CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.value
LEFT JOIN workers w ON w.id = g.worker_id
WHERE g.job_id = $1 AND g.empty = 0 AND t.grant_id = g.id
ORDER BY t.granted_at, t.capture_id
LIMIT 1
