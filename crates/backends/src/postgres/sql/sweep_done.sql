-- Grants whose leases are over. $1 grants. Locked in the order of settle_answered.sql.
DELETE FROM grants
USING (SELECT id FROM grants WHERE id = ANY ($1) ORDER BY id FOR UPDATE) g
WHERE grants.id = g.id
