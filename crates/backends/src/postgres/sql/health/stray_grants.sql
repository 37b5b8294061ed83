-- $1 after, $2 limit.
SELECT g.id AS key, g.job_id, NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = g.job_id) AS stray,
       'grant ' || g.id || ' to worker ' || g.worker_id AS row
FROM grants g WHERE g.id > $1 ORDER BY g.id LIMIT $2
