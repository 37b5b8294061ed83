-- A hand-out, in one statement. $1 time, $2 captures.
WITH made AS (
    INSERT INTO grants (job_id, worker_id, granted_at, lease_until, captures) VALUES (1, 1, $1, $1 + 300000000, $2) RETURNING id
)
UPDATE tasks t SET delivery = t.delivery + 1, holder = 1, grant_id = made.id, granted_at = $1, lease_until = $1 + 300000000
FROM made, unnest($2::bigint[]) AS e (capture_id)
WHERE t.job_id = 1 AND t.capture_id = e.capture_id
