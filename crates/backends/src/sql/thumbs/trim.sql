-- Removes thumbnails of the oldest job. $1 limit.
DELETE FROM thumbnails WHERE capture_id IN
    (SELECT capture_id FROM thumbnails WHERE job_id = (SELECT min(job_id) FROM thumbnails) LIMIT $1)
