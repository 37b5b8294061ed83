-- What a job has stored: processed tasks, detections, classifications. $1 job.
SELECT (SELECT count(*) FROM tasks WHERE job_id = $1 AND state = 'processed'),
       (SELECT count(*) FROM detections WHERE job_id = $1),
       (SELECT count(*) FROM classifications WHERE job_id = $1)
