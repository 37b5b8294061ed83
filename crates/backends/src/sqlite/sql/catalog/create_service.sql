-- A service that nobody has been heard of: `last_seen` is its workers' to say. $1 name, $2 description,
-- $3 URL, $4 now, $5 the project of the token, NULL if it is bound to none.
INSERT INTO services (name, description, endpoint_url, created_at, updated_at, owner_id)
VALUES ($1, $2, $3, $4, $4, $5)
ON CONFLICT (ifnull(owner_id, 0), name) DO UPDATE SET
    description = excluded.description,
    endpoint_url = excluded.endpoint_url,
    updated_at = excluded.updated_at
RETURNING id
