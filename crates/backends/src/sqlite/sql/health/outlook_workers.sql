-- Workers that asked for a pipeline and were seen lately, with the job of their newest live grant.
-- $1 slug, $2 since, $3 limit, $4 the job's
-- project: of others nothing is told, neither workers that are bound to them nor which of their jobs keeps one busy.
SELECT w.name, w.last_seen, w.draining, CASE WHEN j.project_id = $4 THEN j.id END AS busy_with,
       coalesce(j.project_id <> $4, 0) AS busy_elsewhere
FROM (SELECT w.id, w.name, w.last_seen, w.draining,
       (SELECT g.job_id FROM grants g INDEXED BY grants_held_by
        WHERE g.worker_id = w.id AND g.empty = 0 AND EXISTS (SELECT 1 FROM json_each(g.captures) e
            CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.value WHERE t.grant_id = g.id)
        ORDER BY g.id DESC LIMIT 1) AS busy_with
FROM workers w
LEFT JOIN tokens t ON t.id = w.token_id
WHERE (t.project_id IS NULL OR t.project_id = $4)
  AND w.last_seen >= $2 AND EXISTS (SELECT 1 FROM json_each(w.pipelines) WHERE value = $1)
ORDER BY w.last_seen DESC, w.id
LIMIT $3) w LEFT JOIN jobs j ON j.id = w.busy_with
ORDER BY w.last_seen DESC, w.id
