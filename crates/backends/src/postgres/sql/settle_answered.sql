-- Grants of which a task was answered. $1 grants. Locked in their order, since two groups may answer the same grants.
-- A sweep skips what is locked. By (SELECT …) the planner does not see how many they are, and so plans once.
UPDATE grants SET answered = true
FROM (SELECT id FROM grants WHERE id = ANY ((SELECT $1::bigint[])::bigint[]) AND NOT answered ORDER BY id FOR NO KEY UPDATE) g
WHERE grants.id = g.id
