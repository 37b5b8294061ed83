-- What workers did since a minute. $1 workers (JSON), $2 the length, $3 minute.
SELECT m.worker_id, m.step, m.minute, m.processed, m.failed, m.lost
FROM json_each($1) e CROSS JOIN worker_minutes m ON m.worker_id = e.value AND m.step = $2 AND m.minute >= $3
ORDER BY m.worker_id, m.minute
