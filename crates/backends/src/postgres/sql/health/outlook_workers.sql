-- Workers that asked for a pipeline and were seen lately, with the job of their newest live grant.
-- $1 slug, $2 since, $3 limit.
SELECT w.name, w.last_seen,
       (SELECT g.job_id FROM grants g
        WHERE g.worker_id = w.id AND EXISTS (SELECT 1 FROM unnest(g.captures) AS e (capture_id)
            JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.capture_id WHERE t.grant_id = g.id)
        ORDER BY g.id DESC LIMIT 1) AS busy_with
FROM workers w
WHERE w.last_seen >= $2 AND $1 = ANY (w.pipelines)
ORDER BY w.last_seen DESC, w.id
LIMIT $3
