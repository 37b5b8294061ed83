-- Runs that have ended and still have projections. $1 limit. `= 1` are the words of the index.
SELECT id, run FROM jobs WHERE cleanup_due = 1 ORDER BY id LIMIT $1
