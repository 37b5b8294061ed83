-- A set that is to be removed, locked: a job that is made meanwhile waits, and then finds no set. $1 set.
SELECT id FROM collections WHERE id = $1 FOR UPDATE
