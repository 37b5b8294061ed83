-- Names a set. $1 set, $2 name.
UPDATE collections SET name = $2 WHERE id = $1
