-- A page of jobs with what `verify` holds against them. $1 after, $2 limit.
SELECT j.id, j.run, j.status, j.collected, j.total, j.processed, j.failed, j.detections, j.classifications,
       j.cleanup_due, j.updated_at, coalesce(c.alive_at, j.updated_at) AS served_at,
       j.pipeline_id IS NOT NULL AND (j.collection_id IS NULL) <> (j.capture_id IS NULL) AS can_run,
       EXISTS (SELECT 1 FROM run_specs s WHERE s.job_id = j.id AND s.run = j.run) AS has_spec,
       c.gap_from, c.gap_to, c.grace_until
FROM jobs j CROSS JOIN cluster c
WHERE j.deleted_at IS NULL AND j.id > $1
ORDER BY j.id
LIMIT $2
