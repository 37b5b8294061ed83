-- Workers whose number lies between two, the newest first. $1 the least, $2 the greatest, $3 how many.
SELECT w.id, w.name, w.client_info, w.pipelines, w.last_seen, w.draining, w.token_id, t.name AS token, t.project_id
FROM workers w LEFT JOIN tokens t ON t.id = w.token_id
WHERE w.id BETWEEN $1 AND $2 ORDER BY w.id DESC LIMIT $3
