-- Tasks of older runs back to pending; a capture without a URL fails again. $1 job, $2 run, $3 captures, $4 now.
-- Stored detections stay until the task is processed again.
UPDATE tasks INDEXED BY tasks_image SET
    run = $2, state = CASE WHEN reason = 'no_url' THEN 'failed' ELSE 'pending' END,
    delivery_base = delivery, strikes = 0, releases = 0, returns = 0, suspect = 0,
    died_grant = NULL, died_delivery = NULL, history = '',
    grant_id = NULL, lease_until = NULL,
    reason = CASE WHEN reason = 'no_url' THEN reason END,
    detail = CASE WHEN reason = 'no_url' THEN detail END,
    settled_at = CASE WHEN reason = 'no_url' THEN $4 END
WHERE job_id = $1 AND capture_id IN (SELECT value FROM json_each($3))
