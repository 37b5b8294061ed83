-- The stored detections of tasks that are processed again. $1 [[job, capture], …].
DELETE FROM detections WHERE (job_id, ord, capture_id) IN (
    SELECT t.job_id, t.ord, t.capture_id
    FROM json_each($1) e CROSS JOIN tasks t ON t.job_id = e.value->>0 AND t.capture_id = e.value->>1)
