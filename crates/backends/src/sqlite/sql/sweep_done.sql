-- Removes grants that are over. $1 grants (JSON).
DELETE FROM grants WHERE id IN (SELECT value FROM json_each($1))
