-- What a slug means in a project. $1 project, $2 slug.
SELECT pipeline_id FROM pipeline_pointers WHERE project_id = $1 AND slug = $2
