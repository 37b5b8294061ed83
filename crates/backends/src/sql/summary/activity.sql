-- Detections of a label by half-hour, the first. $1 job, $2 label, $3 limit.
SELECT half_hour, n FROM activity WHERE job_id = $1 AND label_id = $2 ORDER BY half_hour LIMIT $3
