-- Notes that some of what grants handed out was given back. $1 grants (JSON).
UPDATE grants SET given_back = 1 WHERE id IN (SELECT value FROM json_each($1))
