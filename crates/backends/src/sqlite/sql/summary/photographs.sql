-- When the photographs of a job were taken, by key. $1 job, $2 after, $3 limit.
SELECT t.capture_id, t.state, c.taken_at, c.taken_offset
FROM tasks t INDEXED BY tasks_image CROSS JOIN captures c ON c.id = t.capture_id
WHERE t.job_id = $1 AND t.capture_id > $2
ORDER BY t.capture_id
LIMIT $3
