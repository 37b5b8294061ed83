-- $1 after, $2 limit.
SELECT d.id AS key, d.job_id,
       NOT EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = d.job_id AND t.capture_id = d.capture_id) AS stray,
       'detection ' || d.id || ' of task ' || d.capture_id AS row
FROM detections d WHERE d.id > $1 ORDER BY d.id LIMIT $2
