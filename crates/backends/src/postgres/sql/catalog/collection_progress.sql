-- Of the next captures of a set: how many they are, which is the last, how many of them any job has processed, and in how many it
-- found something. A deleted job counts no more, though its rows are removed later. $1 set, $2 after, $3 limit. Each capture is one
-- look-up by tasks_of_capture (docs/adr/0008).
SELECT COUNT(*) AS captures, MAX(s.capture_id) AS last, COUNT(done.found) AS processed,
       COUNT(*) FILTER (WHERE done.found) AS with_detections
FROM (SELECT capture_id FROM collection_captures WHERE collection_id = $1 AND capture_id > $2 ORDER BY capture_id LIMIT $3) AS s
CROSS JOIN LATERAL (
    SELECT bool_or(t.n_detections > 0) AS found
    FROM tasks AS t
    CROSS JOIN LATERAL (SELECT true FROM jobs AS j WHERE j.id = t.job_id AND j.deleted_at IS NULL OFFSET 0) AS j
    WHERE t.capture_id + 0 = s.capture_id AND CASE WHEN t.state = 'processed' THEN true END
) AS done
