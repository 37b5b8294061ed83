-- Runs that have ended and still have projections. $1 limit.
SELECT id, run FROM jobs WHERE cleanup_due ORDER BY id LIMIT $1
