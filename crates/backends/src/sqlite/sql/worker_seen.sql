-- A worker that is known. $1 token, $2 instance, $3 name, $4 client_info, $5 now.
UPDATE workers SET name = $3, last_seen = $5, client_info = ifnull($4, client_info)
WHERE token_id = $1 AND instance = $2
RETURNING id
