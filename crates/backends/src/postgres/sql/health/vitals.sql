-- Running jobs by id. Nobody is idle for an outage of ours, so idleness begins at its end at the earliest; and a cancel
-- is somebody's doing.
-- By grants_held, tasks_free and tasks_strikes (docs/adr/0008). $1 after, $2 limit, $3 budget.
SELECT j.id, j.run, j.status, j.collected, j.total, j.processed, j.failed, j.detections, j.classifications, j.skipped,
       greatest(coalesce(j.last_result_at, j.started_at, j.updated_at), coalesce(c.gap_to, 0),
                CASE WHEN j.status = 'CANCELING' THEN j.updated_at ELSE 0 END) AS idle_since,
       (SELECT count(*) FROM grants g CROSS JOIN LATERAL unnest(g.captures) AS e (capture_id)
            CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t
                                WHERE t.job_id = g.job_id AND t.capture_id = e.capture_id OFFSET 0) t
        WHERE g.job_id - 0 = j.id AND NOT g.empty AND t.grant_id = g.id) AS leased,
       coalesce((SELECT true FROM tasks t WHERE t.job_id + 0 = j.id AND t.state = 'pending'
                     AND CASE WHEN t.grant_id IS NULL AND t.run = j.run AND t.strikes < $3 THEN true END
                 ORDER BY t.ord DESC LIMIT 1), false) AS has_free,
       (SELECT count(*) FROM tasks t WHERE t.job_id * 1 = j.id AND t.state = 'pending' AND t.strikes > 0
               AND t.strikes >= $3 AND CASE WHEN t.grant_id IS NULL AND t.run = j.run THEN true END) AS exhausted
FROM jobs j JOIN cluster c ON c.id = 1
WHERE j.status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN') AND j.deleted_at IS NULL AND j.id > $1
ORDER BY j.id
LIMIT $2
