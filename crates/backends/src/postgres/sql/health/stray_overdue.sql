-- Due long ago, though the store was served since: the time of an outage counts for nothing. $1 limit, $2 after, $3 how long.
SELECT g.id AS k1, 0::bigint AS k2, 0::bigint AS k3, 0::bigint AS k4, g.job_id, coalesce(greatest(g.due_at, c.gap_to) + $3 < c.alive_at, false) AS stray,
       'grant ' || g.id || ' to worker ' || g.worker_id AS row
FROM grants g CROSS JOIN cluster c WHERE g.id > $2 ORDER BY g.id LIMIT $1
