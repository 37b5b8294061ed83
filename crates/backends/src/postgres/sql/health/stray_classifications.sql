-- By detection, since that is the key. $1 after, $2 limit.
SELECT k.detection_id AS key, NULL::bigint AS job_id,
       NOT EXISTS (SELECT 1 FROM detections d WHERE d.id = k.detection_id) AS stray,
       'classifications of detection ' || k.detection_id AS row
FROM (SELECT DISTINCT detection_id FROM classifications WHERE detection_id > $1 ORDER BY detection_id LIMIT $2) k
ORDER BY k.detection_id
