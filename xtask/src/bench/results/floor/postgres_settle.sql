-- A settlement, in one statement. $1 captures, $2 time, $3 detections of each; $4 places and $5 numbers of its detections, $6 to $9
-- their corners, $10 labels, $11 scores.
WITH done AS (
    UPDATE tasks t SET state = 'processed', settled_at = $2, n_detections = $3, n_classifications = $3, grant_id = NULL, lease_until = NULL
    FROM unnest($1::bigint[]) AS e (capture_id)
    WHERE t.job_id = 1 AND t.capture_id = e.capture_id
), found AS (
    INSERT INTO detections
    SELECT 1, e.ord, e.ord, e.n, 1, e.x1, e.y1, e.x2, e.y2, $2, 0.021, NULL, 0.8765
    FROM unnest($4::bigint[], $5::bigint[], $6::float8[], $7::float8[], $8::float8[], $9::float8[]) AS e (ord, n, x1, y1, x2, y2)
), named AS (
    INSERT INTO classifications
    SELECT 1, e.ord, e.ord, e.n, 0, 2, e.label, TRUE, 0.918273, e.scores, '', $2, 0.013, NULL
    FROM unnest($4::bigint[], $5::bigint[], $10::text[], $11::bytea[]) AS e (ord, n, label, scores)
)
UPDATE jobs SET processed = processed + cardinality($1), detections = detections + cardinality($4),
    classifications = classifications + cardinality($4), last_result_at = $2
WHERE id = 1
