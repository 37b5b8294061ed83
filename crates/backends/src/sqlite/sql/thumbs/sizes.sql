-- The pixels of photographs, as far as they are known, and whether there is a thumbnail. $1 captures (JSON).
SELECT t.capture_id, t.width, t.height, length(t.jpeg) > 0 FROM json_each($1) e CROSS JOIN thumbnails t ON t.capture_id = e.value
