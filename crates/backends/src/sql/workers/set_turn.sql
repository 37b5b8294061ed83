-- Writes where a worker stands; with a grant, that it held nothing before that. $1 worker, $2 job that it waits for, $3 last tries
-- in a row, $4 when batches end, $5 grant or NULL.
UPDATE workers SET waits_for = $2, last_tries = $3, batches_until = $4, idle_grant = coalesce($5 - 1, idle_grant)
WHERE id = $1
