-- A heartbeat. $1 now, $2 to $4 the gap, $5 offset, $6 to $8 the anchor, which is at $1, $9 and $10 the last step.
UPDATE cluster SET alive_at = $1, clean = 0, gap_from = $2, gap_to = $3, grace_until = $4, clock_offset = $5,
    anchor_at = $1, anchor_boot = $6, anchor_before = $7, anchor_after = $8, step_at = $9, step_by = $10
