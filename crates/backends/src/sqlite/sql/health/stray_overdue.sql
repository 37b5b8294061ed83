-- Due long ago, though the store was served since: the time of an outage counts for nothing. ?1 after, ?2 limit, ?3 how long.
SELECT g.id AS key, g.job_id, ifnull(max(g.due_at, ifnull(c.gap_to, 0)) + ?3 < c.alive_at, 0) AS stray,
       'grant ' || g.id || ' to worker ' || g.worker_id AS row
FROM grants g CROSS JOIN cluster c WHERE g.id > ?1 ORDER BY g.id LIMIT ?2
