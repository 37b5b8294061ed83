-- The most frequent labels of a job, by label_counts_top. $1 job, $2 limit.
SELECT l.text, c.n
FROM (SELECT label_id, n FROM label_counts WHERE job_id + 0 = $1 AND bin = -1 ORDER BY n DESC, label_id DESC LIMIT (SELECT $2::bigint)) c
CROSS JOIN LATERAL (SELECT l.text FROM labels l WHERE l.id = c.label_id OFFSET 0) l
ORDER BY c.n DESC, c.label_id DESC
