-- What jobs have done with captures. $1 captures (JSON).
SELECT t.capture_id, t.job_id, p.slug, t.state, t.reason, t.detail, t.settled_at, t.n_detections
FROM json_each($1) e
CROSS JOIN tasks t ON t.capture_id = e.value
JOIN jobs j ON j.id = t.job_id JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.deleted_at IS NULL
ORDER BY t.capture_id, t.job_id
