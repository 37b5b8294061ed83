-- A page of tasks with what is stored for each. $1 job, $2 after, $3 limit, $4 the detail of the strict idle policy.
SELECT t.capture_id, t.run, t.state, t.reason, CASE WHEN t.state = 'failed' THEN t.detail END AS detail, t.delivery, t.strikes, t.settled_at,
       ifnull(t.reason = 'lost' AND t.detail = $4, 0) AS by_strict_policy,
       t.grant_id IS NOT NULL AS leased,
       g.id IS NOT NULL AS has_grant, t.granted_at, t.lease_until,
       w.extend_from, w.extended_until, w.recent_answers,
       t.n_detections, t.n_classifications,
       (SELECT count(*) FROM detections d WHERE d.job_id = t.job_id AND d.ord = t.ord AND d.capture_id = t.capture_id) AS stored_detections,
       (SELECT count(*) FROM (
            SELECT DISTINCT d.algorithm_id, d.x1, d.y1, d.x2, d.y2 FROM detections d
            WHERE d.job_id = t.job_id AND d.ord = t.ord AND d.capture_id = t.capture_id)) AS distinct_detections,
       (SELECT count(*) FROM classifications k
        WHERE k.job_id = t.job_id AND k.ord = t.ord AND k.capture_id = t.capture_id) AS stored_classifications
FROM tasks t LEFT JOIN grants g ON g.id = t.grant_id LEFT JOIN workers w ON w.id = g.worker_id
WHERE t.job_id = $1 AND t.capture_id > $2
ORDER BY t.capture_id
LIMIT $3
