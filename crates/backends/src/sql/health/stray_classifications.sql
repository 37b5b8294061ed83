-- Classifications by detection, and whether the detection is gone. $1 limit, $2 to $5 after: job, ord, capture, n.
SELECT k.job_id AS k1, k.ord AS k2, k.capture_id AS k3, k.n AS k4, k.job_id,
       NOT EXISTS (SELECT 1 FROM detections d
                   WHERE d.job_id = k.job_id AND d.ord = k.ord AND d.capture_id = k.capture_id AND d.n = k.n) AS stray,
       'classifications of detection ' || k.n || ' of task ' || k.capture_id AS row
FROM (SELECT DISTINCT job_id, ord, capture_id, n FROM classifications
      WHERE (job_id, ord, capture_id, n) > ($2, $3, $4, $5)
      ORDER BY job_id, ord, capture_id, n LIMIT $1) k
ORDER BY k.job_id, k.ord, k.capture_id, k.n
