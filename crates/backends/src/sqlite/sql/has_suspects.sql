-- Whether free suspects of a job wait: those whose next strike may be the last, and others. $2 budget, $3 by how many
-- hand-outs it may be exceeded, $4 job; numbered so that standing.sql can be asked beside it.
SELECT ifnull(max(NOT last), 0) AS suspects, ifnull(max(last), 0) AS last_tries FROM (
    SELECT t.strikes + 1 >= $2 OR t.delivery - t.delivery_base + 1 >= $2 + $3 AS last
    FROM tasks t INDEXED BY tasks_suspect JOIN jobs j ON j.id = t.job_id
    WHERE t.job_id = $4 AND t.state = 'pending' AND t.suspect = 1 AND t.grant_id IS NULL AND t.run = j.run
      AND t.strikes < $2 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
