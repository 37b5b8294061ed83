-- The services that registered a slug that means one of these definitions. $1 pipelines, $2 project or NULL.
SELECT DISTINCT pp.pipeline_id, r.service_id AS other_id
FROM pipeline_pointers pp
JOIN service_registrations r ON r.project_id = pp.project_id AND r.slug = pp.slug
WHERE pp.pipeline_id = ANY ($1) AND ($2::bigint IS NULL OR pp.project_id = $2)
ORDER BY other_id
