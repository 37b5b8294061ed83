-- A page of a job's detections, by detections_of_job. $1 job, $2 after, $3 limit.
-- The order is by job and detection: by detection alone it is also that of the key, which has those of every job.
WITH page AS MATERIALIZED (
    SELECT d.id, d.job_id, d.capture_id, d.algorithm_id, d.x1, d.y1, d.x2, d.y2, d.score
    FROM detections d
    WHERE (d.job_id + 0, d.id) > ($1, $2) AND d.job_id + 0 <= $1
    ORDER BY d.job_id + 0, d.id
    LIMIT (SELECT $3::bigint)
)
SELECT d.id AS detection_id, d.job_id, d.x1, d.y1, d.x2, d.y2, d.score, a.key AS detector, c.*
FROM page d
CROSS JOIN LATERAL (SELECT c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera,
                           c.file_size, c.file_modified, c.file_digest
                    FROM captures c WHERE c.id = d.capture_id OFFSET 0) c
CROSS JOIN LATERAL (SELECT a.key FROM algorithms a WHERE a.id = d.algorithm_id OFFSET 0) a
ORDER BY d.id
