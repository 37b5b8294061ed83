-- A page of a job's detections, by the key. $1 job, $2 and $3 after: capture and number, $4 limit.
WITH page AS MATERIALIZED (
    SELECT d.job_id, d.ord, d.capture_id, d.n, d.algorithm_id, d.x1, d.y1, d.x2, d.y2, d.score
    FROM detections d
    WHERE (d.job_id, d.ord, d.capture_id, d.n)
          > ($1, coalesce((SELECT t.ord FROM tasks t WHERE t.job_id = $1 AND t.capture_id = $2), -1), $2, $3)
      AND d.job_id <= $1
    ORDER BY d.job_id, d.ord, d.capture_id, d.n
    LIMIT (SELECT $4::bigint)
)
SELECT d.job_id, d.ord, d.n, d.x1, d.y1, d.x2, d.y2, d.score, a.key AS detector, c.*
FROM page d
CROSS JOIN LATERAL (SELECT c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera,
                           c.file_size, c.file_modified, c.file_digest
                    FROM captures c WHERE c.id = d.capture_id OFFSET 0) c
CROSS JOIN LATERAL (SELECT a.key FROM algorithms a WHERE a.id = d.algorithm_id OFFSET 0) a
ORDER BY d.ord, d.capture_id, d.n
