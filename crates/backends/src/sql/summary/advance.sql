-- Moves a summary on, if nobody did meanwhile. $1 job, $2 version, $3 phase, $4 to $6 the last row that is counted, $7 detections
-- that are, $8 to $11 images by their number of detections, $12 now, $13 processed images when photographs were counted at the end.
UPDATE summaries SET
    version = version + 1, phase = $3, at_ord = $4, at_capture = $5, at_n = $6, seen = $7,
    images_1 = $8, images_2 = $9, images_6 = $10, images_21 = $11, as_of = $12, processed = $13
WHERE job_id = $1 AND version = $2 AND EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND deleted_at IS NULL)
