-- A job as people see it. `in_flight` is derived from the grants that may hold a task, by grants_held: nothing writes it. A
-- task under a lease is pending. The columns are named, because a statement that was prepared before a migration added one
-- would be refused.
SELECT j.id, j.project_id, j.name, j.job_type, j.status, j.run, j.mode, j.priority, j.failure_threshold,
       j.delay_seconds, j.not_before, j.pipeline_id, j.collection_id, j.capture_id, j.image_limit,
       j.shuffle, j.reprocess, j.collected, j.candidates, j.skipped, j.total, j.processed, j.failed, j.detections,
       j.classifications, j.errors, j.created_at, j.updated_at, j.started_at, j.finished_at, j.last_result_at,
       p.slug AS pipeline_slug,
       (SELECT count(*) FROM grants g CROSS JOIN LATERAL unnest(g.captures) AS e (capture_id)
            CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t
                                WHERE t.job_id = g.job_id AND t.capture_id = e.capture_id OFFSET 0) t
        WHERE g.job_id - 0 = j.id AND NOT g.empty AND t.grant_id = g.id) AS in_flight
FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.deleted_at IS NULL
