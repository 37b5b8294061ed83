-- Notes what a process runs. $1 service, $2 project, $3 slug, $4 process, $5 definition, $6 now.
INSERT INTO service_registrations (service_id, project_id, slug, instance, pipeline_id, at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (service_id, project_id, slug, instance)
    DO UPDATE SET pipeline_id = excluded.pipeline_id, at = excluded.at
