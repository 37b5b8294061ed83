-- The last gap.
SELECT gap_from, gap_to, grace_until FROM cluster
