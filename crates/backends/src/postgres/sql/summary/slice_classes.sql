-- The best class of each detection of a slice. Classes lie in the order of the detections, so one range has them.
-- $1 job, $2 to $4 after: ord, capture and number, $5 to $7 the last.
SELECT DISTINCT ON (k.job_id, k.ord, k.capture_id, k.n) k.ord, k.capture_id, k.n, k.label, k.score
FROM classifications k
WHERE (k.job_id, k.ord, k.capture_id, k.n) > ($1, $2, $3, $4) AND (k.job_id, k.ord, k.capture_id, k.n) <= ($1, $5, $6, $7)
ORDER BY k.job_id, k.ord, k.capture_id, k.n, k.terminal DESC, k.score DESC NULLS LAST, k.position DESC
