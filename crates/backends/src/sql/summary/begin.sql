-- Begins a summary, anew if it is still of this version. $1 job, $2 run, $3 detections and $4 processed images of the job if its run
-- has ended, else NULL, $5 zone, $6 now, $7 version.
INSERT INTO summaries (job_id, run, version, phase, at_ord, at_capture, at_n, seen, against, processed, zone,
                       images_1, images_2, images_6, images_21, as_of)
SELECT id, $2, 1, 'clear', -1, 0, 0, 0, $3, $4, $5, 0, 0, 0, 0, $6 FROM jobs WHERE id = $1 AND deleted_at IS NULL
ON CONFLICT (job_id) DO UPDATE SET
    run = excluded.run, version = summaries.version + 1, phase = 'clear', at_ord = -1, at_capture = 0, at_n = 0, seen = 0,
    against = excluded.against, processed = excluded.processed, zone = excluded.zone,
    images_1 = 0, images_2 = 0, images_6 = 0, images_21 = 0, as_of = excluded.as_of
WHERE summaries.version = $7
