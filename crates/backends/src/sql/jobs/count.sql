-- How many jobs there are; the code adds what narrows them, and its parameters.
SELECT count(*) FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id WHERE j.deleted_at IS NULL
