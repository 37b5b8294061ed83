-- A page of a job's tasks by key, of any state, with their captures. $1 job, $2 after, $3 limit.
WITH page AS MATERIALIZED (
    SELECT t.capture_id, t.state, t.settled_at, t.n_detections
    FROM tasks t
    WHERE t.job_id = $1 AND t.capture_id > $2
    ORDER BY t.capture_id
    LIMIT (SELECT $3::bigint)
)
SELECT c.*, t.state, t.settled_at, t.n_detections
FROM page t CROSS JOIN LATERAL (
    SELECT c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera, c.file_size, c.file_modified,
           c.file_digest
    FROM captures c WHERE c.id = t.capture_id OFFSET 0
) c
ORDER BY t.capture_id
