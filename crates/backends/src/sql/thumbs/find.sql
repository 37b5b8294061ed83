-- The thumbnail of a capture. $1 capture.
SELECT jpeg FROM thumbnails WHERE capture_id = $1 AND length(jpeg) > 0
