-- The project of a set, locked: two that add the same URLs in other orders would deadlock, so one adds at a time in a project.
-- Nobody else waits for it. $1 set.
SELECT p.id FROM collections c JOIN projects p ON p.id = c.project_id WHERE c.id = $1 FOR NO KEY UPDATE OF p
