-- What grants hold, if they were made. $1 jobs, $2 workers, $3 when granted.
SELECT t.job_id, t.run, t.capture_id, t.delivery, g.worker_id, g.granted_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS e (job_id, worker_id, granted_at)
JOIN grants g ON g.worker_id = e.worker_id AND g.granted_at = e.granted_at AND g.job_id = e.job_id
CROSS JOIN LATERAL unnest(g.captures) AS c (capture_id)
JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = c.capture_id
WHERE t.grant_id = g.id AND t.state = 'pending'
ORDER BY t.job_id, t.capture_id
