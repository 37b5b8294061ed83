-- The tasks of job 1. $1 how many.
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
INSERT INTO tasks (job_id, capture_id, ord, run) SELECT 1, i, i, 1 FROM n WHERE i <= $1
