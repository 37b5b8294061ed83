-- The classifications of a page of detections, by the key. $1 jobs, $2 ords, $3 captures, $4 numbers, $5 whether with scores.
SELECT e.at - 1 AS at, k.algorithm_id, a.key, k.label, k.terminal, k.score,
       CASE WHEN $5 THEN k.scores END AS scores, CASE WHEN $5 THEN k.logits END AS logits,
       CASE WHEN $5 THEN k.labels END AS labels
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS e (job_id, ord, capture_id, n, at)
CROSS JOIN LATERAL (SELECT k.* FROM classifications k
                    WHERE k.job_id = e.job_id AND k.ord = e.ord AND k.capture_id = e.capture_id AND k.n = e.n OFFSET 0) k
CROSS JOIN LATERAL (SELECT a.key FROM algorithms a WHERE a.id = k.algorithm_id OFFSET 0) a
ORDER BY e.at, k.position
