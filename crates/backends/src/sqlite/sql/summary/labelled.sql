-- The detections of a label beyond one, with their images. $1 job, $2 label, $3 to $5 rank, capture and number, $6 limit.
SELECT i.rank, i.n, c.id, c.project_id, c.url, c.taken_at, c.taken_offset, c.width, c.height, c.camera, c.file_size, c.file_modified,
       c.file_digest, t.state, t.settled_at, t.n_detections
FROM label_index i
CROSS JOIN tasks t INDEXED BY tasks_image ON t.job_id = i.job_id AND t.capture_id = i.capture_id
CROSS JOIN captures c ON c.id = i.capture_id
WHERE i.job_id = $1 AND i.label_id = $2 AND (i.rank, i.capture_id, i.n) > ($3, $4, $5)
ORDER BY i.rank, i.capture_id, i.n
LIMIT $6
