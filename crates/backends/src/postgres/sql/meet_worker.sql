-- A worker by its identity. $1 token, $2 instance, $3 name, $4 client_info, $5 now, $6 whether it is one process.
INSERT INTO workers (token_id, instance, name, client_info, first_seen, last_seen, one_process)
VALUES ($1, $2, $3, $4, $5, $5, $6)
ON CONFLICT (token_id, instance) DO UPDATE SET name = excluded.name, last_seen = excluded.last_seen,
    client_info = coalesce(excluded.client_info, workers.client_info),
    one_process = CASE WHEN excluded.client_info IS NULL THEN workers.one_process ELSE excluded.one_process END
RETURNING id
