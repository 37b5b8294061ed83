-- Running jobs by id. Nobody is idle for an outage of ours, so idleness begins at its end at the earliest; and a cancel
-- is somebody's doing.
-- $1 after, $2 limit, $3 budget.
SELECT j.id, j.run, j.status, j.collected, j.total, j.processed, j.failed, j.detections, j.classifications, j.skipped,
       max(coalesce(j.last_result_at, j.started_at, j.updated_at), ifnull(c.gap_to, 0),
           CASE WHEN j.status = 'CANCELING' THEN j.updated_at ELSE 0 END) AS idle_since,
       (SELECT count(*) FROM grants g INDEXED BY grants_held CROSS JOIN json_each(g.captures) e
            CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.value
        WHERE g.job_id = j.id AND g.empty = 0 AND t.grant_id = g.id AND t.state = 'pending') AS leased,
       EXISTS (SELECT 1 FROM tasks t INDEXED BY tasks_pending
               WHERE t.job_id = j.id AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run AND t.strikes < $3) AS has_free,
       (SELECT count(*) FROM tasks t INDEXED BY tasks_struck
        WHERE t.job_id = j.id AND t.state = 'pending' AND t.strikes > 0 AND t.strikes >= $3 AND t.grant_id IS NULL AND t.run = j.run) AS exhausted
FROM jobs j CROSS JOIN cluster c
WHERE j.status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN') AND j.deleted_at IS NULL AND j.id > $1
ORDER BY j.id
LIMIT $2
