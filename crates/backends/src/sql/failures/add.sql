-- Changes the number of a group. $1 job, $2 run, $3 group, $4 reason, $5 text, $6 by how much, $7 one of its images, $8 now.
INSERT INTO job_failures (job_id, run, id, reason, text, n, sample, first_at, last_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (job_id, run, id) DO UPDATE SET
    n       = CASE WHEN job_failures.n + excluded.n < 0 THEN 0 ELSE job_failures.n + excluded.n END,
    last_at = CASE WHEN excluded.n > 0 THEN excluded.last_at ELSE job_failures.last_at END
