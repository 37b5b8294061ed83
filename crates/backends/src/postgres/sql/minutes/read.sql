-- What jobs settled since a minute, by job and minute. $1 jobs, $2 minute.
SELECT m.job_id, m.step, m.minute, m.processed, m.failed
FROM unnest($1::bigint[]) AS e (job_id)
CROSS JOIN LATERAL (SELECT * FROM job_minutes m WHERE m.job_id = e.job_id AND m.minute >= $2 OFFSET 0) m
ORDER BY m.job_id, m.minute
