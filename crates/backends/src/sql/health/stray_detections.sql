-- Detections by key, and whether the task of each is gone.
-- $1 limit, $2 to $5 after: job, ord, capture, n.
SELECT d.job_id AS k1, d.ord AS k2, d.capture_id AS k3, d.n AS k4, d.job_id,
       NOT EXISTS (SELECT 1 FROM tasks t
                   WHERE t.job_id = d.job_id AND t.capture_id = d.capture_id AND t.ord = d.ord) AS stray,
       'detection ' || d.n || ' of task ' || d.capture_id AS row
FROM detections d WHERE (d.job_id, d.ord, d.capture_id, d.n) > ($2, $3, $4, $5)
ORDER BY d.job_id, d.ord, d.capture_id, d.n LIMIT $1
