-- Lets a session end later. $1 hash, $2 end.
UPDATE sessions SET expires_at = $2 WHERE hash = $1
