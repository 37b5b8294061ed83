-- Those jobs that the code adds the marks of.
SELECT j.id FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id WHERE j.deleted_at IS NULL
