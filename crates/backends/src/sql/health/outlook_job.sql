-- What workers of a job must be able to do. $1 job.
SELECT j.project_id, p.slug FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id
WHERE j.id = $1 AND j.deleted_at IS NULL
