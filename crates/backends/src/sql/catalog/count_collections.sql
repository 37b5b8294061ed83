-- How many named sets there are. $1 project or NULL.
SELECT count(*) FROM collections WHERE (CAST($1 AS bigint) IS NULL OR project_id = $1) AND name <> ''
