-- A row by the hash of its content. $1 hash.
SELECT id FROM pipelines WHERE hash = $1
