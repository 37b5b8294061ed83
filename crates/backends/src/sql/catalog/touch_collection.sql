-- Notes when a set was changed. $1 set, $2 now.
UPDATE collections SET updated_at = $2 WHERE id = $1
