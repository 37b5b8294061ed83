-- The slugs of a project. $1 project.
SELECT slug FROM pipeline_pointers WHERE project_id = $1 ORDER BY slug
