-- The services that registered a slug that means one of these definitions. $1 pipelines (JSON), $2 project or NULL.
SELECT DISTINCT pp.pipeline_id, r.service_id AS other_id
FROM pipeline_pointers pp
JOIN service_registrations r ON r.project_id = pp.project_id AND r.slug = pp.slug
WHERE pp.pipeline_id IN (SELECT value FROM json_each($1)) AND ($2 IS NULL OR pp.project_id = $2)
ORDER BY other_id
