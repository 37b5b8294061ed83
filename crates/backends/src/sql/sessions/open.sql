-- A new session; none if its token is gone. $1 hash, $2 token or NULL, $3 hash of an admin token or NULL, $4 now, $5 end.
INSERT INTO sessions (hash, token_id, admin_hash, created_at, expires_at)
SELECT $1, $2, $3, $4, $5 WHERE $2 IS NULL OR EXISTS (SELECT 1 FROM tokens WHERE id = $2)
