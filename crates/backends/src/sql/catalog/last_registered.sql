-- What a process registered under a slug before. $1 service, $2 project, $3 slug, $4 process.
SELECT pipeline_id FROM service_registrations
WHERE service_id = $1 AND project_id = $2 AND slug = $3 AND instance = $4
