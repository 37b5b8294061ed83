-- Tasks of job 1. $1 and $2 the first and the last place.
WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO tasks (job_id, capture_id, ord, run) SELECT 1, i, i, 1 FROM n
