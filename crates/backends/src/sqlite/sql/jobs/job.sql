-- A job as people see it. `in_flight` is derived from the grants that may be live: nothing writes it.
SELECT j.*, p.slug AS pipeline_slug, p.name AS pipeline_name,
       (SELECT count(*) FROM grants g INDEXED BY grants_held CROSS JOIN json_each(g.captures) e
            CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.value
        WHERE g.job_id = j.id AND g.empty = 0 AND t.grant_id = g.id AND t.state = 'pending') AS in_flight
FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.deleted_at IS NULL
