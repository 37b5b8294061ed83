-- Stored detections of tasks that are processed again. $1 jobs, $2 captures.
-- The tasks are locked, so nobody else has their detections.
DELETE FROM detections d USING unnest($1::bigint[], $2::bigint[]) AS e (job_id, capture_id)
WHERE d.job_id = e.job_id AND d.capture_id = e.capture_id
RETURNING d.id
