-- The pixels of photographs that have a thumbnail. $1 captures (JSON).
SELECT t.capture_id, t.width, t.height FROM json_each($1) e CROSS JOIN thumbnails t ON t.capture_id = e.value
