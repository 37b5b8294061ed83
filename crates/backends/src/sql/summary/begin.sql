-- Begins a summary, anew if it is still of this version. $1 job, $2 run, $3 detections that it is to have or NULL, $4 now, $5 version.
INSERT INTO summaries (job_id, run, version, phase, at_ord, at_capture, at_n, seen, against, images_1, images_2, images_6, images_21, as_of)
SELECT id, $2, 1, 'clear', -1, 0, 0, 0, $3, 0, 0, 0, 0, $4 FROM jobs WHERE id = $1 AND deleted_at IS NULL
ON CONFLICT (job_id) DO UPDATE SET
    run = excluded.run, version = summaries.version + 1, phase = 'clear', at_ord = -1, at_capture = 0, at_n = 0, seen = 0,
    against = excluded.against, images_1 = 0, images_2 = 0, images_6 = 0, images_21 = 0, as_of = excluded.as_of
WHERE summaries.version = $5
