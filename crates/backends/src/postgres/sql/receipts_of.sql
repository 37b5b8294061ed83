-- What grants hold, if they were made. $1 jobs, $2 workers, $3 when granted. A task under a lease is pending.
SELECT t.job_id, t.run, t.capture_id, t.delivery, g.worker_id, g.granted_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS e (job_id, worker_id, granted_at)
CROSS JOIN LATERAL (SELECT g.id, g.job_id, g.worker_id, g.granted_at, g.captures FROM grants g
                    WHERE g.worker_id = e.worker_id AND g.granted_at = e.granted_at AND g.job_id = e.job_id OFFSET 0) g
CROSS JOIN LATERAL unnest(g.captures) AS c (capture_id)
CROSS JOIN LATERAL (SELECT t.job_id, t.run, t.capture_id, t.delivery, t.grant_id FROM tasks t
                    WHERE t.job_id = g.job_id AND t.capture_id = c.capture_id OFFSET 0) t
WHERE t.grant_id = g.id
ORDER BY t.job_id, t.capture_id
