-- Where the summary of a job stands. $1 job.
SELECT run, version, phase, at_ord, at_capture, at_n, seen, against, processed, zone, images_1, images_2, images_6, images_21, as_of
FROM summaries WHERE job_id = $1
