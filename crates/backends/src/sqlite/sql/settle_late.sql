-- The grants of answers that come when the grant holds their task no more. $1 [[job, worker, when granted], …].
SELECT g.id
FROM json_each($1) e
CROSS JOIN grants g ON g.worker_id = e.value->>1 AND g.granted_at = e.value->>2 AND g.job_id = e.value->>0
WHERE g.answered = 0
