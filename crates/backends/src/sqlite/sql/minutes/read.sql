-- What jobs settled since a minute, by job and minute. $1 jobs (JSON), $2 minute.
SELECT m.job_id, m.step, m.minute, m.processed, m.failed
FROM json_each($1) e CROSS JOIN job_minutes m ON m.job_id = e.value AND m.step IN (1, 60) AND m.minute >= $2
ORDER BY m.job_id, m.minute
