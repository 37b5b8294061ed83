-- How many captures of each set any job has processed, and in how many it found something. $1 sets. A deleted job counts no
-- more, though its rows are removed later.
SELECT s.id, p.processed, p.with_detections
FROM unnest($1::bigint[]) AS s (id)
CROSS JOIN LATERAL (
    SELECT COUNT(*) AS processed, COUNT(*) FILTER (WHERE once.found) AS with_detections
    FROM (SELECT bool_or(t.n_detections > 0) AS found
          FROM collection_captures AS cc
          JOIN tasks AS t ON t.capture_id + 0 = cc.capture_id
          WHERE cc.collection_id = s.id AND t.state = 'processed'
            AND NOT EXISTS (SELECT FROM jobs AS j WHERE j.id = t.job_id AND j.deleted_at IS NOT NULL)
          GROUP BY cc.capture_id) AS once
) AS p
