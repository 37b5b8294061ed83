-- The detections of tasks, by the keys of both. $1 jobs, $2 captures, a pair each.
SELECT d.job_id, d.ord, d.n, d.x1, d.y1, d.x2, d.y2, d.score, a.key AS detector, c.*
FROM unnest($1::bigint[], $2::bigint[]) AS e (job_id, capture_id)
CROSS JOIN LATERAL (SELECT t.job_id, t.ord, t.capture_id FROM tasks t
                    WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id OFFSET 0) t
CROSS JOIN LATERAL (SELECT d.job_id, d.ord, d.capture_id, d.n, d.algorithm_id, d.x1, d.y1, d.x2, d.y2, d.score
                    FROM detections d
                    WHERE d.job_id = t.job_id AND d.ord = t.ord AND d.capture_id = t.capture_id OFFSET 0) d
CROSS JOIN LATERAL (SELECT c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera,
                           c.file_size, c.file_modified, c.file_digest
                    FROM captures c WHERE c.id = d.capture_id OFFSET 0) c
CROSS JOIN LATERAL (SELECT a.key FROM algorithms a WHERE a.id = d.algorithm_id OFFSET 0) a
ORDER BY d.capture_id, d.job_id, d.n
