-- As images_in_flight.sql, from its end. $1 job, $2 before, $3 limit.
SELECT t.capture_id, c.url, t.state, true AS in_flight, t.reason, t.detail,
       t.delivery - t.delivery_base AS attempts, w.name AS worker, t.holder, t.granted_at, t.settled_at, t.n_detections
FROM grants g INDEXED BY grants_held
CROSS JOIN json_each(g.captures) e
CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.value
JOIN captures c ON c.id = t.capture_id LEFT JOIN workers w ON w.id = t.holder
WHERE g.job_id = $1 AND g.empty = 0 AND e.value < $2 AND t.grant_id = g.id AND t.state = 'pending'
ORDER BY t.capture_id DESC
LIMIT $3
