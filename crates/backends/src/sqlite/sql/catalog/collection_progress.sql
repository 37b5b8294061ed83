-- How many captures of each set any job has processed, and in how many it found something. $1 sets (JSON). A deleted job
-- counts no more, though its rows are removed later. CROSS JOIN keeps the order, so that each task is one look-up.
SELECT id, COUNT(*) AS processed, SUM(found) AS with_detections
FROM (SELECT e.value AS id, MAX(t.n_detections > 0) AS found
      FROM json_each($1) AS e
      CROSS JOIN collection_captures AS cc ON cc.collection_id = e.value
      CROSS JOIN tasks AS t ON t.capture_id = cc.capture_id
      WHERE t.state = 'processed'
        AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.id = t.job_id AND j.deleted_at IS NOT NULL)
      GROUP BY e.value, cc.capture_id)
GROUP BY id
