-- What a slug means in a project, and when anybody last registered that there. $1 project, $2 slug.
SELECT pp.pipeline_id,
       (SELECT max(r.at) FROM service_registrations r
        WHERE r.project_id = pp.project_id AND r.slug = pp.slug AND r.pipeline_id = pp.pipeline_id) AS heard_at
FROM pipeline_pointers pp
WHERE pp.project_id = $1 AND pp.slug = $2
