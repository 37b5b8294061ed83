-- Whether a worker holds a suspect, if it is one process; by grants_suspects. $1 worker.
SELECT EXISTS (
    SELECT 1 FROM workers w
    JOIN grants g ON g.worker_id + 0 = w.id AND g.suspect
    CROSS JOIN LATERAL (SELECT t.grant_id, t.suspect FROM tasks t
                        WHERE t.job_id = g.job_id AND t.capture_id = g.captures[1] OFFSET 0) t
    -- A task under a lease is pending.
    WHERE w.id = $1 AND w.one_process AND t.grant_id = g.id AND t.suspect)
