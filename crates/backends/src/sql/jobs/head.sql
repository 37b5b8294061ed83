-- What a request of a worker needs to know of a job. $1 job.
SELECT j.id, j.project_id, j.run, j.status, p.slug AS pipeline_slug
FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.id = $1 AND j.deleted_at IS NULL
