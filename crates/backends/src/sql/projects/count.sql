-- How many projects there are. $1 the only one to be seen, or NULL.
SELECT count(*) FROM projects WHERE CAST($1 AS bigint) IS NULL OR id = $1
