-- Those grants once more, after their tasks were locked: whoever answers one from now on waits, and whoever did before is
-- seen. `holds` counts all tasks that a grant holds; if not all of them could be locked, or the grant itself could not, one
-- is being answered, and the grant is left for the next sweep. $1 grants.
SELECT g.id, g.job_id, g.granted_at, g.lease_until, g.answered, g.given_back, g.exclusive, g.worker_id,
       w.name AS worker, w.one_process,
       w.extend_from, w.extended_until, w.recent_answers, w.charged_until,
       (SELECT count(*) FROM unnest(g.captures) AS e (capture_id)
            CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t
                                WHERE t.job_id = g.job_id AND t.capture_id = e.capture_id OFFSET 0) t
        WHERE t.grant_id = g.id) AS holds
FROM grants g LEFT JOIN workers w ON w.id = g.worker_id
WHERE g.id = ANY ($1)
ORDER BY g.due_at, g.id
FOR NO KEY UPDATE OF g SKIP LOCKED
