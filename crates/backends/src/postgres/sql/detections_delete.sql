-- The stored detections of tasks that are processed again. $1 jobs, $2 captures.
-- The tasks are locked, so nobody else has their detections.
WITH e AS MATERIALIZED (
    SELECT t.job_id, t.ord, t.capture_id
    FROM unnest($1::bigint[], $2::bigint[]) AS e (job_id, capture_id)
    CROSS JOIN LATERAL (SELECT t.job_id, t.ord, t.capture_id FROM tasks t
                        WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id OFFSET 0) t
)
DELETE FROM detections d USING e
WHERE d.job_id = e.job_id AND d.ord = e.ord AND d.capture_id = e.capture_id
