-- The next detections of a job, each with its class and the time of its photograph. $1 job, $2 to $4 after: ord, capture and number,
-- $5 and $6 before: ord and capture, $7 limit.
SELECT d.ord, d.capture_id, d.n, d.score AS detector_score, c.taken_at, c.taken_offset, t.n_detections, k.label, k.score
FROM detections d
CROSS JOIN tasks t ON t.job_id = d.job_id AND t.ord = d.ord AND t.capture_id = d.capture_id
CROSS JOIN captures c ON c.id = d.capture_id
LEFT JOIN classifications k ON k.job_id = d.job_id AND k.ord = d.ord AND k.capture_id = d.capture_id AND k.n = d.n
    AND k.position = (SELECT b.position FROM classifications b
                      WHERE b.job_id = d.job_id AND b.ord = d.ord AND b.capture_id = d.capture_id AND b.n = d.n
                      ORDER BY b.terminal DESC, b.score DESC NULLS LAST, b.position DESC LIMIT 1)
WHERE d.job_id = $1 AND (d.ord, d.capture_id, d.n) > ($2, $3, $4) AND (d.ord, d.capture_id) < ($5, $6)
ORDER BY d.ord, d.capture_id, d.n
LIMIT $7
