-- The rows that a group of results is about, locked in the order of A10: whoever settles one of them meanwhile is waited
-- for, and what it did is seen. $1 jobs, $2 captures.
SELECT t.job_id, t.capture_id, t.ord, t.run, t.delivery, t.state, t.reason, t.n_detections, t.n_classifications,
       t.grant_id, t.delivery - t.delivery_base AS attempts, t.strikes, t.suspect, t.died_grant, t.died_delivery,
       CASE WHEN t.state = 'failed' THEN t.detail END AS detail
FROM unnest($1::bigint[], $2::bigint[]) AS e (job_id, capture_id)
JOIN tasks t ON t.job_id = e.job_id AND t.capture_id = e.capture_id
ORDER BY t.job_id, t.capture_id
FOR NO KEY UPDATE OF t
