-- Whether a worker is handed nothing more. $1 worker, $2 whether.
UPDATE workers SET draining = $2 WHERE id = $1
