-- By how much a job's counters are off, and its total. $1 job.
SELECT count(t.capture_id) AS total,
       ifnull(sum(t.state = 'processed'), 0) - j.processed AS processed,
       ifnull(sum(t.state = 'failed'), 0) - j.failed AS failed,
       ifnull(sum(t.n_detections), 0) - j.detections AS detections,
       ifnull(sum(t.n_classifications), 0) - j.classifications AS classifications
FROM jobs j LEFT JOIN tasks t ON t.job_id = j.id
WHERE j.id = $1
