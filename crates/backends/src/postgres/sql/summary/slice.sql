-- The next detections of a job, each with its class and the time of its photograph. $1 job, $2 to $4 after: ord, capture and number,
-- $5 and $6 before: ord and capture, $7 limit.
WITH page AS MATERIALIZED (
    SELECT d.job_id, d.ord, d.capture_id, d.n, d.score
    FROM detections d
    WHERE (d.job_id, d.ord, d.capture_id, d.n) > ($1, $2, $3, $4) AND (d.job_id, d.ord, d.capture_id) < ($1, $5, $6)
    ORDER BY d.job_id, d.ord, d.capture_id, d.n
    LIMIT (SELECT $7::bigint)
)
SELECT d.ord, d.capture_id, d.n, d.score AS detector_score, c.taken_at, c.taken_offset, t.n_detections, k.label, k.score
FROM page d
CROSS JOIN LATERAL (SELECT t.n_detections FROM tasks t WHERE t.job_id = d.job_id AND t.capture_id = d.capture_id OFFSET 0) t
CROSS JOIN LATERAL (SELECT c.taken_at, c.taken_offset FROM captures c WHERE c.id = d.capture_id OFFSET 0) c
LEFT JOIN LATERAL (SELECT k.label, k.score FROM classifications k
                   WHERE k.job_id = d.job_id AND k.ord = d.ord AND k.capture_id = d.capture_id AND k.n = d.n
                   ORDER BY k.terminal DESC, k.score DESC NULLS LAST, k.position DESC LIMIT 1) k ON true
ORDER BY d.ord, d.capture_id, d.n
