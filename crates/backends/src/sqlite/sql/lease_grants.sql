-- Until when grants may hold something. $1 grants (JSON), $2 until.
UPDATE grants SET lease_until = max(lease_until, $2) WHERE id IN (SELECT value FROM json_each($1))
