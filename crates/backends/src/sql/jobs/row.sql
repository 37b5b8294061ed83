-- A job as its row says it: what workers hold is not counted, which would read their leases. Conditions follow.
SELECT j.id, j.project_id, j.name, j.job_type, j.status, j.run, j.mode, j.priority, j.failure_threshold,
       j.delay_seconds, j.not_before, j.pipeline_id, j.collection_id, j.capture_id, j.image_limit,
       j.shuffle, j.reprocess, j.collected, j.candidates, j.skipped, j.total, j.processed, j.failed, j.detections,
       j.classifications, j.errors, j.created_at, j.updated_at, j.started_at, j.finished_at, j.last_result_at,
       p.slug AS pipeline_slug, CAST(0 AS bigint) AS in_flight
FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.deleted_at IS NULL
