-- The pixels of photographs, as far as they are known, and whether there is a thumbnail. $1 captures.
SELECT t.capture_id, t.width, t.height, length(t.jpeg) > 0
FROM unnest($1::bigint[]) AS e (capture_id)
CROSS JOIN LATERAL (SELECT t.* FROM thumbnails t WHERE t.capture_id = e.capture_id OFFSET 0) t
