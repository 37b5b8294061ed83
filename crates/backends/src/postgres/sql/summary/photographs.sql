-- When the photographs of a job were taken, by key. $1 job, $2 after, $3 limit.
WITH page AS MATERIALIZED (
    SELECT t.capture_id, t.state FROM tasks t WHERE t.job_id = $1 AND t.capture_id > $2 ORDER BY t.capture_id LIMIT (SELECT $3::bigint)
)
SELECT t.capture_id, t.state, c.taken_at, c.taken_offset
FROM page t
CROSS JOIN LATERAL (SELECT c.taken_at, c.taken_offset FROM captures c WHERE c.id = t.capture_id OFFSET 0) c
ORDER BY t.capture_id
