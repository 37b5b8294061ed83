-- The beginning of a settlement. Time, detections and classifications of an image, the first and the last place of the group; how many
-- images, detections and classifications it has, time.
BEGIN IMMEDIATE;
UPDATE tasks SET state = 'processed', settled_at = ?, n_detections = ?, n_classifications = ?, grant_id = NULL, lease_until = NULL
WHERE job_id = 1 AND ord BETWEEN ? AND ?;
UPDATE jobs SET processed = processed + ?, detections = detections + ?, classifications = classifications + ?, last_result_at = ?
WHERE id = 1;
