-- What workers did since a minute. $1 workers, $2 the length, $3 minute.
SELECT m.worker_id, m.step, m.minute, m.processed, m.failed, m.lost
FROM unnest($1::bigint[]) AS e (worker_id)
CROSS JOIN LATERAL (SELECT worker_id, step, minute, processed, failed, lost FROM worker_minutes m WHERE m.worker_id = e.worker_id AND m.step = $2 AND m.minute >= $3 OFFSET 0) m
ORDER BY m.worker_id, m.minute
