-- Notes that grants were answered. $1 grants (JSON).
UPDATE grants SET answered = 1 WHERE id IN (SELECT value FROM json_each($1)) AND answered = 0
