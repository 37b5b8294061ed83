-- Grants by id, and whether the job of each is gone. $1 limit, $2 after.
SELECT g.id AS k1, 0 AS k2, 0 AS k3, 0 AS k4, g.job_id, NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = g.job_id) AS stray,
       'grant ' || g.id || ' to worker ' || g.worker_id AS row
FROM grants g WHERE g.id > $2 ORDER BY g.id LIMIT $1
