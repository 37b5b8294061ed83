-- What workers hold, a row for each hand-out, by grants_held. $1 how many hand-outs are looked at.
SELECT g.worker_id, g.job_id, g.granted_at, count(*) AS images
FROM (SELECT id, worker_id, job_id, granted_at, captures FROM grants WHERE NOT empty LIMIT $1) g
CROSS JOIN LATERAL unnest(g.captures) AS e (capture_id)
CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t
                    WHERE t.job_id = g.job_id AND t.capture_id = e.capture_id OFFSET 0) t
WHERE t.grant_id = g.id
GROUP BY g.id, g.worker_id, g.job_id, g.granted_at ORDER BY g.id
