-- The projects in which a slug means one of these definitions. $1 pipelines, $2 project or NULL.
SELECT pipeline_id, project_id AS other_id FROM pipeline_pointers
WHERE pipeline_id = ANY ($1) AND ($2::bigint IS NULL OR project_id = $2)
ORDER BY project_id
