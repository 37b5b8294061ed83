-- As images_failed.sql, from its end. $1 job, $2 before, $3 limit.
WITH page AS MATERIALIZED (
    SELECT t.capture_id, t.state, t.reason, t.detail, t.delivery - t.delivery_base AS attempts, t.holder, t.granted_at,
           t.settled_at, t.n_detections
    FROM tasks t
    WHERE t.job_id + 0 = $1 AND t.state = 'failed' AND t.capture_id < $2
    ORDER BY t.capture_id DESC
    LIMIT (SELECT $3::bigint)
)
SELECT t.capture_id, c.url, t.state, false AS in_flight, t.reason, t.detail, t.attempts,
       (SELECT w.name FROM workers w WHERE w.id = t.holder) AS worker, t.holder, t.granted_at, t.settled_at, t.n_detections
FROM page t CROSS JOIN LATERAL (SELECT c.url FROM captures c WHERE c.id = t.capture_id OFFSET 0) c
ORDER BY t.capture_id DESC
