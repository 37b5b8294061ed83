-- Seen is what any worker that registered it was last seen at; max() of two is NULL if either is. What a service runs is what
-- the slugs that it registers mean now. $1 project or NULL, $2 services (JSON) or NULL, $3 limit, $4 offset.
SELECT s.id, s.name, s.description, s.endpoint_url, s.created_at, s.updated_at,
       max(coalesce(s.last_seen, w.last_seen), coalesce(w.last_seen, s.last_seen)) AS last_seen,
       (SELECT json_group_array(project_id ORDER BY project_id) FROM service_projects
        WHERE service_id = s.id AND ($1 IS NULL OR project_id = $1)) AS projects,
       (SELECT count(*) > 1 FROM service_projects WHERE service_id = s.id) AS shared,
       (SELECT json_group_array(id ORDER BY id) FROM (
            SELECT DISTINCT pp.pipeline_id AS id
            FROM service_registrations r JOIN pipeline_pointers pp ON pp.project_id = r.project_id AND pp.slug = r.slug
            WHERE r.service_id = s.id AND ($1 IS NULL OR r.project_id = $1))) AS pipelines
FROM services AS s
LEFT JOIN (SELECT r.service_id, max(w.last_seen) AS last_seen FROM worker_services r JOIN workers w ON w.id = r.worker_id
           GROUP BY r.service_id) AS w ON w.service_id = s.id
WHERE ($1 IS NULL OR s.id IN (SELECT service_id FROM service_projects WHERE project_id = $1))
  AND ($2 IS NULL OR s.id IN (SELECT value FROM json_each($2)))
ORDER BY s.id
LIMIT $3 OFFSET $4
