-- How many definitions slugs mean now. $1 project or NULL.
SELECT count(DISTINCT pipeline_id) FROM pipeline_pointers WHERE CAST($1 AS bigint) IS NULL OR project_id = $1
