-- As images.sql, from its end. $1 job, $2 state of those that nobody holds or NULL, $3 reason or NULL, $4 before, $5 limit.
SELECT t.capture_id, c.url, t.state, t.grant_id IS NOT NULL AS in_flight, t.reason, t.detail,
       t.delivery - t.delivery_base AS attempts, w.name AS worker, t.holder, t.granted_at, t.settled_at, t.n_detections
FROM tasks t JOIN captures c ON c.id = t.capture_id LEFT JOIN workers w ON w.id = t.holder
WHERE t.job_id = $1 AND t.capture_id < $4
  AND ($2 IS NULL OR (t.state = $2 AND t.grant_id IS NULL))
  AND ($3 IS NULL OR t.reason = $3)
ORDER BY t.capture_id DESC
LIMIT $5
