-- A set that is to be removed. $1 set.
SELECT id FROM collections WHERE id = $1
