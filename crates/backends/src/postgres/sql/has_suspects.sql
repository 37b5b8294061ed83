-- Whether a job has free suspects, of both kinds, and whether its worker may be given anything after all: with the lock of
-- grant_process.sql, that is decided at the end, in this one statement. By tasks_suspects and grants_suspects. $1 job,
-- $2 budget, $3 by how many hand-outs it may be exceeded, $4 worker.
SELECT EXISTS (
           SELECT 1 FROM tasks t
           WHERE t.job_id - 0 = $1 AND t.state = 'pending' AND t.suspect
             AND CASE WHEN t.grant_id IS NULL AND t.strikes < $2 AND (t.strikes + 1 >= $2 OR t.delivery - t.delivery_base + 1 >= $2 + $3) = false
                      AND t.run = (
                  SELECT j.run FROM jobs j WHERE j.id = $1 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
                 THEN true END) AS suspects,
       EXISTS (
           SELECT 1 FROM tasks t
           WHERE t.job_id - 0 = $1 AND t.state = 'pending' AND t.suspect
             AND CASE WHEN t.grant_id IS NULL AND t.strikes < $2 AND (t.strikes + 1 >= $2 OR t.delivery - t.delivery_base + 1 >= $2 + $3) = true
                      AND t.run = (
                  SELECT j.run FROM jobs j WHERE j.id = $1 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
                 THEN true END) AS last_tries,
       coalesce((SELECT EXISTS (
           SELECT 1 FROM grants g
           CROSS JOIN LATERAL (SELECT t.grant_id, t.suspect FROM tasks t
                               WHERE t.job_id = g.job_id AND t.capture_id = g.captures[1] OFFSET 0) t
           -- A task under a lease is pending.
           WHERE g.worker_id + 0 = w.id AND g.suspect AND NOT g.empty AND t.grant_id = g.id
             AND (g.exclusive OR (t.suspect AND w.one_process)))
                 OR EXISTS (
           SELECT 1 FROM tasks t
           WHERE t.job_id - 0 = w.waits_for AND t.state = 'pending' AND t.suspect
             AND CASE WHEN t.grant_id IS NULL AND t.strikes < $2 AND (t.strikes + 1 >= $2 OR t.delivery - t.delivery_base + 1 >= $2 + $3) = true
                      AND t.run = (
                  SELECT j.run FROM jobs j WHERE j.id = w.waits_for AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
                 THEN true END)
        FROM workers w WHERE w.id = $4), false) AS held_back
