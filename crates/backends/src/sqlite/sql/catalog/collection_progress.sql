-- Of the next captures of a set: how many they are, which is the last, how many of them any job has processed, and in how many it
-- found something. A deleted job counts no more, though its rows are removed later. $1 set, $2 after, $3 limit.
SELECT COUNT(*) AS captures, MAX(capture_id) AS last, COUNT(found) AS processed, COALESCE(SUM(found), 0) AS with_detections
FROM (SELECT s.capture_id,
             (SELECT MAX(t.n_detections > 0) FROM tasks AS t CROSS JOIN jobs AS j ON j.id = t.job_id AND j.deleted_at IS NULL
              WHERE t.capture_id = s.capture_id AND t.state = 'processed') AS found
      FROM (SELECT capture_id FROM collection_captures WHERE collection_id = $1 AND capture_id > $2 ORDER BY capture_id LIMIT $3) AS s)
