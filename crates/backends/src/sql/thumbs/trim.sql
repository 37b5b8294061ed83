-- Removes thumbnails of the oldest job, and says how large each was. $1 limit, $2 bytes of a size without one.
DELETE FROM thumbnails WHERE capture_id IN
    (SELECT capture_id FROM thumbnails WHERE job_id = (SELECT min(job_id) FROM thumbnails) LIMIT $1)
RETURNING CAST(CASE length(jpeg) WHEN 0 THEN $2 ELSE length(jpeg) END AS bigint)
