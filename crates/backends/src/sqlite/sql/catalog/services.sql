-- Seen is what any worker that registered it was last seen at; max() of two is NULL if either is.
SELECT s.id, s.name, s.description, s.endpoint_url, s.created_at, s.updated_at,
       max(coalesce(s.last_seen, w.last_seen), coalesce(w.last_seen, s.last_seen)) AS last_seen,
       (SELECT json_group_array(project_id ORDER BY project_id) FROM service_projects WHERE service_id = s.id) AS projects,
       (SELECT json_group_array(pipeline_id ORDER BY pipeline_id) FROM service_pipelines WHERE service_id = s.id) AS pipelines
FROM services AS s
LEFT JOIN (SELECT r.service_id, max(w.last_seen) AS last_seen FROM worker_services r JOIN workers w ON w.id = r.worker_id
           GROUP BY r.service_id) AS w ON w.service_id = s.id
WHERE ?1 IS NULL
   OR s.id IN (SELECT service_id FROM service_projects WHERE project_id = ?1)
ORDER BY s.id
LIMIT ?2 OFFSET ?3
