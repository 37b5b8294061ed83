-- Whether a worker holds anything. From its newest grant, because that is the most likely to be unanswered; what it held
-- when it was last found idle is not looked at again. $1 worker.
SELECT (
    SELECT 1 FROM workers w
    CROSS JOIN grants g ON g.worker_id = w.id AND g.id > w.idle_grant
    CROSS JOIN json_each(g.captures) e
    CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.value
    WHERE w.id = $1 AND t.grant_id = g.id AND t.state = 'pending'
    ORDER BY g.granted_at DESC LIMIT 1) IS NOT NULL
