-- Locks the rows of several jobs in their order (A10): an UPDATE locks in whatever order it finds them. $1 jobs.
-- (SELECT …) as in counts.sql.
SELECT id FROM jobs WHERE id = ANY ((SELECT $1::bigint[])::bigint[]) ORDER BY id FOR NO KEY UPDATE
