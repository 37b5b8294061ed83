-- The classifications of a page of detections. ?1 detections (JSON), ?2 whether with scores.
SELECT k.detection_id, k.algorithm_id, a.key, k.label, k.terminal, k.score,
       CASE WHEN ?2 THEN k.scores END AS scores, CASE WHEN ?2 THEN k.logits END AS logits,
       CASE WHEN ?2 THEN k.labels END AS labels
FROM json_each(?1) e CROSS JOIN classifications k ON k.detection_id = e.value JOIN algorithms a ON a.id = k.algorithm_id
ORDER BY k.detection_id, k.position
