-- Adds detections to the index of labels. $1 [[job_id, label_id, rank, capture_id, n], …] (JSON), in the order of their keys. None is
-- there: what was is cleared first, and a slice is written once. ON CONFLICT would write a third record of the WAL for each.
INSERT INTO label_index (job_id, label_id, rank, capture_id, n)
SELECT (e->>0)::bigint, (e->>1)::bigint, (e->>2)::bigint, (e->>3)::bigint, (e->>4)::bigint
FROM json_array_elements($1::text::json) AS e
