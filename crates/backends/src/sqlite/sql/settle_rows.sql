-- The rows that a group of results is about. $1 [[job, capture], …].
SELECT t.job_id, t.capture_id, t.ord, t.run, t.delivery, t.state, t.reason, t.n_detections, t.n_classifications,
       t.grant_id, t.delivery - t.delivery_base AS attempts, t.strikes, t.suspect, t.died_grant, t.died_delivery
FROM json_each($1) e
CROSS JOIN tasks t ON t.job_id = e.value->>0 AND t.capture_id = e.value->>1
