-- The best class of each detection of a slice. Classes lie in the order of the detections, so one range has them.
-- $1 job, $2 to $4 after: ord, capture and number, $5 to $7 the last.
SELECT ord, capture_id, n, label, score
FROM (SELECT k.ord, k.capture_id, k.n, k.label, k.score,
             row_number() OVER (PARTITION BY k.ord, k.capture_id, k.n
                                ORDER BY k.terminal DESC, k.score DESC NULLS LAST, k.position DESC) AS place
      FROM classifications k
      WHERE k.job_id = $1 AND (k.ord, k.capture_id, k.n) > ($2, $3, $4) AND (k.ord, k.capture_id, k.n) <= ($5, $6, $7))
WHERE place = 1
ORDER BY ord, capture_id, n
