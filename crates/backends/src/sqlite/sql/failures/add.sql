-- Changes the numbers of groups. $1 [[job_id, run, id, reason, text, by how much, one of the images, now], …] (JSON), in the order
-- of their keys. The images that failed first may be processed by now, so the last one is kept.
INSERT INTO job_failures (job_id, run, id, reason, text, n, sample, first_at, last_at)
SELECT e.value->>0, e.value->>1, e.value->>2, e.value->>3, e.value->>4, e.value->>5, e.value->>6, e.value->>7, e.value->>7
FROM json_each($1) AS e WHERE true
ON CONFLICT (job_id, run, id) DO UPDATE SET
    n        = CASE WHEN job_failures.n + excluded.n < 0 THEN 0 ELSE job_failures.n + excluded.n END,
    sample   = CASE WHEN excluded.n > 0 THEN excluded.sample ELSE job_failures.sample END,
    first_at = CASE WHEN job_failures.n = 0 THEN excluded.first_at ELSE job_failures.first_at END,
    last_at  = CASE WHEN excluded.n > 0 THEN excluded.last_at ELSE job_failures.last_at END
