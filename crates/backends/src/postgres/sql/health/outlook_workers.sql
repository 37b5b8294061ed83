-- Workers that asked for a pipeline and were seen lately, with the job of their newest live grant.
-- $1 slug, $2 since, $3 limit.
SELECT w.name, w.last_seen,
       (SELECT g.job_id FROM grants g
        WHERE g.worker_id = w.id AND NOT g.spent AND (SELECT true FROM unnest(g.captures) AS e (capture_id)
            CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t
                                WHERE t.job_id = g.job_id AND t.capture_id = e.capture_id OFFSET 0) t
            WHERE t.grant_id = g.id LIMIT 1)
        ORDER BY g.granted_at DESC, g.id DESC LIMIT 1) AS busy_with
FROM workers w
WHERE w.last_seen >= $2 AND $1 = ANY (w.pipelines)
ORDER BY w.last_seen DESC, w.id
LIMIT $3
