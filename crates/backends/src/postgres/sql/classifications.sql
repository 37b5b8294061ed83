-- The classifications of a page of detections. $1 detections, $2 whether with scores.
SELECT k.detection_id, k.algorithm_id, a.key, k.label, k.terminal, k.score,
       CASE WHEN $2 THEN k.scores END AS scores, CASE WHEN $2 THEN k.logits END AS logits,
       CASE WHEN $2 THEN k.labels END AS labels
FROM classifications k JOIN algorithms a ON a.id = k.algorithm_id
WHERE k.detection_id = ANY ($1)
ORDER BY k.detection_id, k.position
