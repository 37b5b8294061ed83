-- The oldest lease of a job, by grants_held. $1 job.
SELECT t.granted_at, t.lease_until, coalesce(w.name, 'unknown worker') AS worker, w.last_seen
FROM grants g
CROSS JOIN LATERAL unnest(g.captures) AS e (capture_id)
CROSS JOIN LATERAL (SELECT t.capture_id, t.granted_at, t.lease_until, t.grant_id FROM tasks t
                    WHERE t.job_id = g.job_id AND t.capture_id = e.capture_id OFFSET 0) t
LEFT JOIN workers w ON w.id = g.worker_id
WHERE g.job_id - 0 = $1 AND NOT g.empty AND t.grant_id = g.id
ORDER BY t.granted_at, t.capture_id
LIMIT 1
