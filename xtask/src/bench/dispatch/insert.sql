-- The tasks of a slice of job 1, in the order of dispatch, which is another than that of their captures. $1 and $2 the first and the last
-- place.
WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO tasks (job_id, capture_id, ord, run) SELECT 1, i * 48271 % 2147483647, i, 1 FROM n
