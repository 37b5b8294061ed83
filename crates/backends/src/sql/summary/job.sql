-- What of a job its summary depends on. $1 job.
SELECT run, status, collected, detections, processed, project_id FROM jobs WHERE id = $1 AND deleted_at IS NULL
