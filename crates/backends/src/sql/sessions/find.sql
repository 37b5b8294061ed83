-- A session by the hash of its secret, with its token. $1 hash.
SELECT s.admin_hash, s.created_at AS signed_in_at, s.expires_at AS ends_at,
       t.id, t.name, t.role, t.project_id, t.prefix, t.created_at, t.expires_at, t.used_at
FROM sessions s LEFT JOIN tokens t ON t.id = s.token_id WHERE s.hash = $1
