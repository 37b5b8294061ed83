-- Tasks of job 1. $1 and $2 the first and the last place.
INSERT INTO tasks (job_id, capture_id, ord, run) SELECT 1, i, i, 1 FROM generate_series($1::bigint, $2::bigint) i
