-- $1 job, $2 state or NULL, $3 reason or NULL, $4 after, $5 limit.
SELECT t.capture_id, c.url, t.state, t.grant_id IS NOT NULL AS in_flight, t.reason, t.detail,
       t.delivery - t.delivery_base AS attempts, w.name AS worker, t.settled_at, t.n_detections
FROM tasks t JOIN captures c ON c.id = t.capture_id LEFT JOIN workers w ON w.id = t.holder
WHERE t.job_id = $1 AND t.capture_id > $4
  AND ($2::text IS NULL
       OR ($2 = 'in_flight' AND t.state = 'pending' AND t.grant_id IS NOT NULL)
       OR ($2 = 'pending' AND t.state = 'pending' AND t.grant_id IS NULL)
       OR ($2 NOT IN ('in_flight', 'pending') AND t.state = $2))
  AND ($3::text IS NULL OR t.reason = $3)
ORDER BY t.capture_id
LIMIT $5
