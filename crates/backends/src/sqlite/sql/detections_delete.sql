-- Stored detections of tasks that are processed again. ?1 [[job, capture], …].
DELETE FROM detections WHERE id IN (
    SELECT d.id FROM json_each(?1) e CROSS JOIN detections d ON d.job_id = e.value->>0 AND d.capture_id = e.value->>1)
RETURNING id
