-- Whether a worker may be given anything. It holds something beside which it gets nothing: what was handed out exclusively,
-- or a suspect if it is one process; by grants_suspects. Or it drains, or waits for last tries of a job, by tasks_suspects. $1 worker,
-- $2 budget, $3 by how many hand-outs it may be exceeded.
SELECT w.draining OR EXISTS (
           SELECT 1 FROM grants g
           CROSS JOIN LATERAL (SELECT t.grant_id, t.suspect FROM tasks t
                               WHERE t.job_id = g.job_id AND t.capture_id = g.captures[1] OFFSET 0) t
           -- A task under a lease is pending.
           WHERE g.worker_id + 0 = w.id AND g.suspect AND NOT g.empty AND t.grant_id = g.id
             AND (g.exclusive OR (t.suspect AND w.one_process))) AS held_back,
       CASE WHEN EXISTS (
           SELECT 1 FROM tasks t
           WHERE t.job_id - 0 = w.waits_for AND t.state = 'pending' AND t.suspect
             AND CASE WHEN t.grant_id IS NULL AND t.strikes < $2 AND (t.strikes + 1 >= $2 OR t.delivery - t.delivery_base + 1 >= $2 + $3) = true
                      AND t.run = (
                  SELECT j.run FROM jobs j WHERE j.id = w.waits_for AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
                 THEN true END) THEN w.waits_for END AS waits_for
FROM workers w WHERE w.id = $1
