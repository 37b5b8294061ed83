-- Keeps the thumbnail of a capture, or only its size; the newest of each counts. $1 capture, $2 job, $3 and $4 pixels of the photograph, $5 JPEG, or empty.
INSERT INTO thumbnails (capture_id, job_id, width, height, jpeg) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (capture_id) DO UPDATE SET
    job_id = excluded.job_id, width = excluded.width, height = excluded.height,
    jpeg = CASE length(excluded.jpeg) WHEN 0 THEN thumbnails.jpeg ELSE excluded.jpeg END
