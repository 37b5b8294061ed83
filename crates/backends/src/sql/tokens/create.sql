-- A new token. $1 name, $2 role, $3 project, $4 prefix, $5 hash, $6 now, $7 end.
INSERT INTO tokens (name, role, project_id, prefix, hash, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, name, role, project_id, prefix, created_at, expires_at, used_at
