-- How many services there are. $1 project or NULL.
SELECT count(*) FROM services
WHERE CAST($1 AS bigint) IS NULL OR id IN (SELECT service_id FROM service_projects WHERE project_id = $1)
