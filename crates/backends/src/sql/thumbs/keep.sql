-- Keeps the thumbnail of a capture; the newest one counts. $1 capture, $2 job, $3 and $4 pixels of the photograph, $5 JPEG.
INSERT INTO thumbnails (capture_id, job_id, width, height, jpeg) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (capture_id) DO UPDATE SET
    job_id = excluded.job_id, width = excluded.width, height = excluded.height, jpeg = excluded.jpeg
