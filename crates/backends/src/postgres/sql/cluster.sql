-- The cluster's row as a heartbeat finds it. `held`: a lease lives that was granted before the last gap ended; by the oldest grant, as no
-- row of the others must be read each second.
SELECT alive_at, clean, gap_from, gap_to, grace_until, clock_offset, anchor_at, anchor_boot, anchor_before, anchor_after,
       step_at, step_by,
       coalesce((SELECT g.granted_at FROM grants g ORDER BY g.granted_at LIMIT 1) < gap_to, false) AS held
FROM cluster
FOR NO KEY UPDATE OF cluster
