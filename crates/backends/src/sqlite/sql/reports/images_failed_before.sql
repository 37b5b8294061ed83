-- As images_failed.sql, from its end. $1 job, $2 before, $3 limit.
SELECT t.capture_id, c.url, t.state, false AS in_flight, t.reason, t.detail,
       t.delivery - t.delivery_base AS attempts, w.name AS worker, t.holder, t.granted_at, t.settled_at, t.n_detections
FROM tasks t INDEXED BY tasks_failed
CROSS JOIN captures c ON c.id = t.capture_id LEFT JOIN workers w ON w.id = t.holder
WHERE t.job_id = $1 AND t.state = 'failed' AND t.capture_id < $2
ORDER BY t.capture_id DESC
LIMIT $3
