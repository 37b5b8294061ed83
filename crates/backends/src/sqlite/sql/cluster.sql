-- The cluster's row as a heartbeat finds it. `held`: a lease lives that was granted before the last gap ended.
SELECT alive_at, clean, gap_from, gap_to, grace_until, clock_offset, anchor_at, anchor_boot, anchor_before, anchor_after,
       step_at, step_by,
       EXISTS (SELECT 1 FROM grants g WHERE g.granted_at < cluster.gap_to) AS held
FROM cluster
