-- Whether a worker holds anything, by grants_worker. From its newest grant, because that is the most likely to be unanswered;
-- what it held when it was last found idle is not looked at again. $1 worker.
SELECT (
    SELECT true FROM workers w JOIN grants g ON g.worker_id = w.id AND g.id > w.idle_grant AND NOT g.empty
    WHERE w.id = $1 AND EXISTS (SELECT 1 FROM unnest(g.captures) AS e (capture_id)
        CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t
                            WHERE t.job_id = g.job_id AND t.capture_id = e.capture_id OFFSET 0) t
        -- A task under a lease is pending.
        WHERE t.grant_id = g.id)
    ORDER BY g.granted_at DESC LIMIT 1) IS NOT NULL
