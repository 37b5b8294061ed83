-- Tasks of older runs back to pending; a capture without a URL fails again. $1 job, $2 run, $3 captures, $4 now.
-- Stored detections stay until the task is processed again.
-- The keys are in a step of their own, since a job that the planner knows could be read as a whole (docs/adr/0008).
WITH e AS MATERIALIZED (SELECT $1::bigint AS job_id, unnest($3::bigint[]) AS capture_id)
UPDATE tasks t SET
    run = $2, state = CASE WHEN t.reason = 'no_url' THEN 'failed' ELSE 'pending' END,
    delivery_base = t.delivery, strikes = 0, releases = 0, returns = 0, suspect = false,
    died_grant = NULL, died_delivery = NULL, history = '',
    grant_id = NULL, lease_until = NULL,
    reason = CASE WHEN t.reason = 'no_url' THEN t.reason END,
    detail = CASE WHEN t.reason = 'no_url' THEN t.detail END,
    settled_at = CASE WHEN t.reason = 'no_url' THEN $4::bigint END
FROM e
WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
