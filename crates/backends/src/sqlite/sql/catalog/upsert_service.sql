-- A service that registers. `updated_at` is for people: a heartbeat moves only `last_seen`, which is compared and so is on the
-- cluster's timeline. A name is unique within its scope. $1 name, $2 URL, $3 now, $4 the project of the token, NULL if it is bound
-- to none.
INSERT INTO services (name, endpoint_url, last_seen, created_at, updated_at, owner_id)
VALUES ($1, $2, $3 + (SELECT clock_offset FROM cluster), $3, $3, $4)
ON CONFLICT (ifnull(owner_id, 0), name) DO UPDATE SET
    last_seen = excluded.last_seen,
    updated_at = CASE
        WHEN excluded.endpoint_url IS NULL OR excluded.endpoint_url IS endpoint_url THEN updated_at
        ELSE excluded.updated_at
    END,
    endpoint_url = coalesce(excluded.endpoint_url, endpoint_url)
RETURNING id
