-- A token by the hash of its secret. $1 hash.
SELECT id, name, role, project_id, prefix, created_at, expires_at, used_at FROM tokens WHERE hash = $1
