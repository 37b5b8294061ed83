-- As images_waiting.sql, from its end. $1 job, $2 before, $3 limit.
SELECT t.capture_id, c.url, t.state, false AS in_flight, t.reason, t.detail,
       t.delivery - t.delivery_base AS attempts, w.name AS worker, t.holder, t.granted_at, t.settled_at, t.n_detections
FROM tasks t INDEXED BY tasks_pending
CROSS JOIN captures c ON c.id = t.capture_id LEFT JOIN workers w ON w.id = t.holder
WHERE t.job_id = $1 AND t.state = 'pending' AND t.grant_id IS NULL
  AND t.ord <= coalesce((SELECT a.ord FROM tasks a WHERE a.job_id = $1 AND a.capture_id = $2), 9223372036854775807)
  AND (t.ord, t.capture_id) < (coalesce((SELECT a.ord FROM tasks a WHERE a.job_id = $1 AND a.capture_id = $2), 9223372036854775807), $2)
ORDER BY t.ord DESC, t.capture_id DESC
LIMIT $3
