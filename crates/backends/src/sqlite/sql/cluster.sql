-- The cluster's row as a heartbeat finds it. `held`: a lease lives that was granted before the last gap ended; by the oldest grant, as no
-- row of the others must be read each second.
SELECT alive_at, clean, gap_from, gap_to, grace_until, clock_offset, anchor_at, anchor_boot, anchor_before, anchor_after,
       step_at, step_by,
       ifnull((SELECT min(granted_at) FROM grants) < gap_to, 0) AS held
FROM cluster
