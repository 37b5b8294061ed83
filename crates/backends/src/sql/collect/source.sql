-- What a slice needs to know of its job. $1 job.
SELECT phase, mode, collection_id, capture_id, max_capture_id, seed, shuffle, reprocess, fingerprint, image_limit, cut_ord,
       cut_capture_id
FROM jobs WHERE id = $1 AND deleted_at IS NULL
