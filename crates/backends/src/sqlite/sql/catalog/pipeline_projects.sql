-- The projects in which a slug means one of these definitions. $1 pipelines (JSON), $2 project or NULL.
SELECT pipeline_id, project_id AS other_id FROM pipeline_pointers
WHERE pipeline_id IN (SELECT value FROM json_each($1)) AND ($2 IS NULL OR project_id = $2)
ORDER BY project_id
