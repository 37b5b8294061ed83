-- The tasks of job 1. $1 how many.
INSERT INTO tasks (job_id, capture_id, ord, run) SELECT 1, i, i, 1 FROM generate_series(1, $1::bigint) i
