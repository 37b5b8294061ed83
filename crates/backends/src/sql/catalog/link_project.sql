-- Notes that a service is one of a project. $1 service, $2 project.
INSERT INTO service_projects (service_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING
