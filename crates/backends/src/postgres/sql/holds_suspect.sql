-- Whether a worker holds a suspect, if it is one process. $1 worker.
SELECT EXISTS (
    SELECT 1 FROM workers w
    JOIN grants g ON g.worker_id = w.id AND g.suspect
    JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = g.captures[1]
    WHERE w.id = $1 AND w.one_process
      AND t.grant_id = g.id AND t.state = 'pending' AND t.suspect)
