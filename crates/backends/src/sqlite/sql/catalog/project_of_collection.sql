-- The project of a set. $1 set.
SELECT project_id FROM collections WHERE id = $1
