-- What the leases that change leave in their grants. $1 grants, $2 until when they are extended, or NULL if given back.
-- Locked in the order of settle_answered.sql.
UPDATE grants SET lease_until = greatest(lease_until, $2), given_back = given_back OR $2 IS NULL
FROM (SELECT id FROM grants WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE) g
WHERE grants.id = g.id
