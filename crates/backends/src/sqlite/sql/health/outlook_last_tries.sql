-- A worker that has a suspect of a job alone, and one that is kept free for such a try. $1 job.
SELECT (SELECT w.name FROM grants g INDEXED BY grants_held
        CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = g.captures->>0
        CROSS JOIN workers w ON w.id = g.worker_id
        WHERE g.job_id = $1 AND g.empty = 0 AND g.exclusive = 1 AND t.grant_id = g.id AND t.state = 'pending'
        ORDER BY g.id LIMIT 1) AS tried_by,
       (SELECT w.name FROM workers w
        WHERE w.waits_for = $1 AND EXISTS (
            SELECT 1 FROM tasks t INDEXED BY tasks_suspect
            WHERE t.job_id = $1 AND t.state = 'pending' AND t.suspect = 1 AND t.grant_id IS NULL)
        ORDER BY w.last_seen DESC, w.id LIMIT 1) AS put_off
