-- Grants of which a task was answered. $1 grants. Locked in their order, since two groups may answer the same grants.
-- A sweep skips what is locked.
UPDATE grants SET answered = true
FROM (SELECT id FROM grants WHERE id = ANY ($1) AND NOT answered ORDER BY id FOR NO KEY UPDATE) g
WHERE grants.id = g.id
