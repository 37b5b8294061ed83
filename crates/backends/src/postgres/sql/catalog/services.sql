-- Seen is what any worker that registered it was last seen at; greatest() passes over NULLs. What a service runs is what the
-- slugs that it registers mean now. $1 project or NULL, $2 services or NULL, $3 limit, $4 offset.
SELECT s.id, s.name, s.description, s.endpoint_url, s.created_at, s.updated_at,
       greatest(s.last_seen, (SELECT max(w.last_seen) FROM worker_services r JOIN workers w ON w.id = r.worker_id
                             WHERE r.service_id = s.id)) AS last_seen,
       (SELECT coalesce(json_agg(project_id ORDER BY project_id)::text, '[]') FROM service_projects
        WHERE service_id = s.id AND ($1::bigint IS NULL OR project_id = $1)) AS projects,
       (SELECT count(*) > 1 FROM service_projects WHERE service_id = s.id) AS shared,
       (SELECT coalesce(json_agg(DISTINCT pp.pipeline_id ORDER BY pp.pipeline_id)::text, '[]')
        FROM service_registrations r JOIN pipeline_pointers pp ON pp.project_id = r.project_id AND pp.slug = r.slug
        WHERE r.service_id = s.id AND ($1::bigint IS NULL OR r.project_id = $1)) AS pipelines
FROM services AS s
WHERE ($1::bigint IS NULL OR s.id IN (SELECT service_id FROM service_projects WHERE project_id = $1))
  AND ($2::bigint[] IS NULL OR s.id = ANY ($2))
ORDER BY s.id
LIMIT $3 OFFSET $4
