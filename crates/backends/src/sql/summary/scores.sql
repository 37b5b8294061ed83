-- How many detections of a label have a score. $1 job, $2 label.
SELECT bin, n FROM label_counts WHERE job_id = $1 AND label_id = $2 AND bin >= 0
