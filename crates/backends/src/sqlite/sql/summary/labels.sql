-- The most frequent labels of a job. $1 job, $2 limit.
SELECT l.text, c.n FROM label_counts c INDEXED BY label_counts_top CROSS JOIN labels l ON l.id = c.label_id
WHERE c.job_id = $1 AND c.bin = -1 ORDER BY c.n DESC, c.label_id DESC LIMIT $2
