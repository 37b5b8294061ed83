-- Removes grants that are over. $1 grants.
DELETE FROM grants WHERE id = ANY ($1)
