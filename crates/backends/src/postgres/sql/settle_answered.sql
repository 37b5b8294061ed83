-- Grants of which a task was answered. $1 grants. Locked in their order, since two groups may answer the same grants. A
-- sweep skips those of which a task is locked, and waits for those that hold none any more.
UPDATE grants SET answered = true
FROM (SELECT id FROM grants WHERE id = ANY ($1) AND NOT answered ORDER BY id FOR NO KEY UPDATE) g
WHERE grants.id = g.id
