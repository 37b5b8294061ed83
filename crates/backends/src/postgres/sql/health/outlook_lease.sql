-- The oldest lease of a job. $1 job.
SELECT t.granted_at, t.lease_until, coalesce(w.name, 'unknown worker') AS worker, w.last_seen
FROM grants g
CROSS JOIN LATERAL unnest(g.captures) AS e (capture_id)
JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.capture_id
LEFT JOIN workers w ON w.id = g.worker_id
WHERE g.job_id = $1 AND t.grant_id = g.id
ORDER BY t.granted_at, t.capture_id
LIMIT 1
