-- The classifications of a page of detections. $1 [[job, ord, capture, n], …] (JSON), $2 whether with scores.
SELECT e.key AS at, k.algorithm_id, a.key, k.label, k.terminal, k.score,
       CASE WHEN $2 THEN k.scores END AS scores, CASE WHEN $2 THEN k.logits END AS logits,
       CASE WHEN $2 THEN k.labels END AS labels
FROM json_each($1) e
CROSS JOIN classifications k ON k.job_id = e.value ->> 0 AND k.ord = e.value ->> 1
                            AND k.capture_id = e.value ->> 2 AND k.n = e.value ->> 3
JOIN algorithms a ON a.id = k.algorithm_id
ORDER BY e.key, k.position
