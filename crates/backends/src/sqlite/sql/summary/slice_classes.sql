-- The classes of a slice of detections, those of each from its best. They lie in the order of the detections, so one range has them.
-- $1 job, $2 to $4 after: ord, capture and number, $5 to $7 the last.
SELECT k.ord, k.capture_id, k.n, k.label, k.score
FROM classifications k
WHERE k.job_id = $1 AND (k.ord, k.capture_id, k.n) > ($2, $3, $4) AND (k.ord, k.capture_id, k.n) <= ($5, $6, $7)
ORDER BY k.ord, k.capture_id, k.n, k.terminal DESC, k.score DESC NULLS LAST, k.position DESC
