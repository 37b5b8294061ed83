-- Due long ago, though the store was served since: the time of an outage counts for nothing. $1 limit, $2 after, $3 how long.
SELECT g.id AS k1, 0 AS k2, 0 AS k3, 0 AS k4, g.job_id, ifnull(max(g.due_at, ifnull(c.gap_to, 0)) + $3 < c.alive_at, 0) AS stray,
       'grant ' || g.id || ' to worker ' || g.worker_id AS row
FROM grants g CROSS JOIN cluster c WHERE g.id > $2 ORDER BY g.id LIMIT $1
