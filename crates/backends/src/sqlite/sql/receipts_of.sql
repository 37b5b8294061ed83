-- What grants hold, if they were made. $1 [[job, worker, when granted], …].
SELECT t.job_id, t.run, t.capture_id, t.delivery, g.worker_id, g.granted_at
FROM json_each($1) e
CROSS JOIN grants g ON g.worker_id = e.value->>1 AND g.granted_at = e.value->>2 AND g.job_id = e.value->>0
CROSS JOIN json_each(g.captures) c
CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = c.value
WHERE t.grant_id = g.id AND t.state = 'pending'
ORDER BY t.job_id, t.capture_id
