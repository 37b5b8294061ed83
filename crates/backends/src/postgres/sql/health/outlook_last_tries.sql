-- A worker that has a suspect of a job alone, and one that is kept free for such a try; by grants_held and tasks_suspects.
-- $1 job.
SELECT (SELECT w.name FROM grants g
        CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t
                            WHERE t.job_id = g.job_id AND t.capture_id = g.captures[1] OFFSET 0) t
        JOIN workers w ON w.id = g.worker_id
        WHERE g.job_id - 0 = $1 AND NOT g.empty AND g.exclusive AND t.grant_id = g.id
        ORDER BY g.id LIMIT 1) AS tried_by,
       (SELECT w.name FROM workers w
        WHERE w.waits_for = $1 AND EXISTS (
            SELECT 1 FROM tasks t
            WHERE t.job_id - 0 = $1 AND t.state = 'pending' AND t.suspect AND CASE WHEN t.grant_id IS NULL THEN true END)
        ORDER BY w.last_seen DESC, w.id LIMIT 1) AS put_off
