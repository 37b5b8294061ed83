-- As images.sql, from its end. $1 job, $2 state or NULL, $3 reason or NULL, $4 before, $5 limit.
WITH page AS MATERIALIZED (
    SELECT t.capture_id, t.state, t.grant_id, t.reason, t.detail, t.delivery - t.delivery_base AS attempts, t.holder,
           t.granted_at, t.settled_at, t.n_detections
    FROM tasks t
    WHERE t.job_id = $1 AND t.capture_id < $4
      AND CASE WHEN ($2::text IS NULL OR t.state = $2 AND t.grant_id IS NULL)
                    AND ($3::text IS NULL OR t.reason = $3) THEN true END
    ORDER BY t.capture_id DESC
    LIMIT (SELECT $5::bigint)
)
SELECT t.capture_id, c.url, t.state, t.grant_id IS NOT NULL AS in_flight, t.reason, t.detail, t.attempts,
       (SELECT w.name FROM workers w WHERE w.id = t.holder) AS worker, t.holder, t.granted_at, t.settled_at, t.n_detections
FROM page t CROSS JOIN LATERAL (SELECT c.url FROM captures c WHERE c.id = t.capture_id OFFSET 0) c
ORDER BY t.capture_id DESC
