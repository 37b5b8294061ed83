-- The detections of a label back from one, with their images. $1 job, $2 label, $3 to $5 rank, capture and number, $6 limit.
SELECT p.rank, p.n, c.*, t.state, t.settled_at, t.n_detections
FROM (SELECT i.job_id, i.rank, i.capture_id, i.n FROM label_index i
      WHERE i.job_id = $1 AND i.label_id = $2 AND (i.rank, i.capture_id, i.n) < ($3, $4, $5)
      ORDER BY i.rank DESC, i.capture_id DESC, i.n DESC
      LIMIT (SELECT $6::bigint)) p
CROSS JOIN LATERAL (SELECT t.state, t.settled_at, t.n_detections FROM tasks t
                    WHERE t.job_id = p.job_id AND t.capture_id = p.capture_id OFFSET 0) t
CROSS JOIN LATERAL (SELECT c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera, c.file_size,
                           c.file_modified, c.file_digest
                    FROM captures c WHERE c.id = p.capture_id OFFSET 0) c
ORDER BY p.rank DESC, c.id DESC, p.n DESC
