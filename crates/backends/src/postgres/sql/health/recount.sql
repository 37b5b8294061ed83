-- By how much a job's counters are off, and its total: one statement, so one snapshot of rows and counters, which every
-- transaction changes together. $1 job.
SELECT count(t.capture_id) AS total,
       count(*) FILTER (WHERE t.state = 'processed') - j.processed AS processed,
       count(*) FILTER (WHERE t.state = 'failed') - j.failed AS failed,
       coalesce(sum(t.n_detections), 0)::bigint - j.detections AS detections,
       coalesce(sum(t.n_classifications), 0)::bigint - j.classifications AS classifications
FROM jobs j LEFT JOIN tasks t ON t.job_id = j.id
WHERE j.id = $1
GROUP BY j.id
