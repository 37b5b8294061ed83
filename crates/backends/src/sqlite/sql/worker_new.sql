-- A worker that was not seen before. An upsert would spend a number each time that it is seen again.
-- $1 token, $2 instance, $3 name, $4 client_info, $5 now.
INSERT INTO workers (token_id, instance, name, client_info, first_seen, last_seen) VALUES ($1, $2, $3, $4, $5, $5)
RETURNING id
