-- A row by the hash of its content. $1 hash.
SELECT id FROM algorithms WHERE hash = $1
