-- What workers hold, a row for each hand-out, by grants_held. $1 how many hand-outs are looked at.
SELECT g.worker_id, g.job_id, g.granted_at, count(*) AS images
FROM (SELECT id, worker_id, job_id, granted_at, captures FROM grants INDEXED BY grants_held WHERE empty = 0 LIMIT $1) g
CROSS JOIN json_each(g.captures) e
CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.value
WHERE t.grant_id = g.id AND t.state = 'pending'
GROUP BY g.id ORDER BY g.id
