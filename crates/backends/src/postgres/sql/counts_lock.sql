-- Locks the rows of several jobs in their order (A10): an UPDATE locks in whatever order it finds them. $1 jobs.
SELECT id FROM jobs WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE
