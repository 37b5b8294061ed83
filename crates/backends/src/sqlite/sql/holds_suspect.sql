-- Whether a worker holds a suspect, if it is one process: with an instance of its own, not only an address that
-- others may share. ?1 worker.
SELECT EXISTS (
    SELECT 1 FROM workers w
    CROSS JOIN grants g ON g.worker_id = w.id AND g.suspect = 1
    CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = g.captures->>0
    WHERE w.id = ?1 AND w.client_info->>'instance' = w.instance
      AND t.grant_id = g.id AND t.state = 'pending' AND t.suspect = 1)
