-- As images_in_flight.sql, from its end. $1 job, $2 before, $3 limit.
WITH page AS MATERIALIZED (
    SELECT t.capture_id, t.state, t.reason, t.detail, t.delivery - t.delivery_base AS attempts, t.holder, t.granted_at,
           t.settled_at, t.n_detections
    FROM grants g CROSS JOIN LATERAL unnest(g.captures) AS e (capture_id)
    CROSS JOIN LATERAL (SELECT t.* FROM tasks t WHERE t.job_id = g.job_id AND t.capture_id = e.capture_id OFFSET 0) t
    WHERE g.job_id - 0 = $1 AND NOT g.empty AND e.capture_id < $2 AND t.grant_id = g.id
    ORDER BY t.capture_id DESC
    LIMIT $3
)
SELECT t.capture_id, c.url, t.state, true AS in_flight, t.reason, t.detail, t.attempts,
       (SELECT w.name FROM workers w WHERE w.id = t.holder) AS worker, t.holder, t.granted_at, t.settled_at, t.n_detections
FROM page t CROSS JOIN LATERAL (SELECT c.url FROM captures c WHERE c.id = t.capture_id OFFSET 0) c
ORDER BY t.capture_id DESC
