-- What jobs have done with captures, by tasks_of_capture. $1 captures.
SELECT t.capture_id, t.job_id, p.slug, t.state, t.reason, t.detail, t.settled_at, t.n_detections
FROM unnest($1::bigint[]) AS e (capture_id)
CROSS JOIN LATERAL (SELECT t.capture_id, t.job_id, t.state, t.reason, t.detail, t.settled_at, t.n_detections
                    FROM tasks t WHERE t.capture_id + 0 = e.capture_id OFFSET 0) t
JOIN jobs j ON j.id = t.job_id JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.deleted_at IS NULL
ORDER BY t.capture_id, t.job_id
