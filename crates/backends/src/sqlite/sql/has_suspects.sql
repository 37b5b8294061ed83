-- Whether free suspects of a job wait: those whose next strike may be the last, and others. $1 budget, $2 by how many
-- hand-outs it may be exceeded, $3 job.
SELECT ifnull(max(NOT last), 0) AS suspects, ifnull(max(last), 0) AS last_tries FROM (
    SELECT t.strikes + 1 >= $1 OR t.delivery - t.delivery_base + 1 >= $1 + $2 AS last
    FROM tasks t INDEXED BY tasks_suspect JOIN jobs j ON j.id = t.job_id
    WHERE t.job_id = $3 AND t.state = 'pending' AND t.suspect = 1 AND t.grant_id IS NULL AND t.run = j.run
      AND t.strikes < $1 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
