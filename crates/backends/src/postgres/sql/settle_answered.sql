-- Grants of which a task was answered. $1 grants. Locked in their order, since two groups may answer the same grants; it
-- is held with a task of each, so a sweep, which skips those, never waits for it.
UPDATE grants SET answered = true
FROM (SELECT id FROM grants WHERE id = ANY ($1) AND NOT answered ORDER BY id FOR NO KEY UPDATE) g
WHERE grants.id = g.id
