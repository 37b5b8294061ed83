-- Whether a worker may be given anything. It holds something beside which it gets nothing: what was handed out exclusively,
-- or a suspect if it is one process, with an instance of its own, not only an address that others may share. Or it drains, or
-- waits for last tries of a job. $1 worker, $2 budget, $3 by how many hand-outs it may be exceeded.
SELECT w.draining OR EXISTS (
           SELECT 1 FROM grants g INDEXED BY grants_suspect
           CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = g.captures->>0
           WHERE g.worker_id = w.id AND g.suspect = 1 AND t.grant_id = g.id AND t.state = 'pending'
             AND (g.exclusive = 1 OR (t.suspect = 1 AND w.client_info->>'instance' = w.instance))) AS held_back,
       (SELECT w.waits_for FROM tasks t INDEXED BY tasks_suspect JOIN jobs j ON j.id = t.job_id
        WHERE t.job_id = w.waits_for AND t.state = 'pending' AND t.suspect = 1 AND t.grant_id IS NULL AND t.run = j.run
          AND t.strikes < $2 AND (t.strikes + 1 >= $2 OR t.delivery - t.delivery_base + 1 >= $2 + $3)
          AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL LIMIT 1) AS waits_for
FROM workers w WHERE w.id = $1
