-- A page of the tokens. $1 limit, $2 offset.
SELECT id, name, role, project_id, prefix, created_at, expires_at, used_at FROM tokens ORDER BY id LIMIT $1 OFFSET $2
