-- $1 after, $2 limit.
SELECT j.id, j.run, j.status, j.collected, j.total, j.processed, j.failed, j.detections, j.classifications,
       j.cleanup_due, j.updated_at, coalesce(c.alive_at, j.updated_at) AS served_at,
       c.gap_from, c.gap_to, c.grace_until
FROM jobs j CROSS JOIN cluster c
WHERE j.deleted_at IS NULL AND j.id > $1
ORDER BY j.id
LIMIT $2
