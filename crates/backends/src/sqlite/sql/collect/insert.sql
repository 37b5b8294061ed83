-- Adds tasks; returns of each that was added its capture if it has failed, else NULL. $1 job, $2 run, $3 [[capture, ord, no_url], …] (JSON), $4 now.
INSERT INTO tasks (job_id, capture_id, ord, run, state, reason, detail, settled_at)
SELECT $1, e.value->>0, e.value->>1, $2,
       CASE WHEN e.value->>2 THEN 'failed' ELSE 'pending' END,
       CASE WHEN e.value->>2 THEN 'no_url' END,
       CASE WHEN e.value->>2 THEN 'the capture has no url' END,
       CASE WHEN e.value->>2 THEN $4 END
FROM json_each($3) e
WHERE true
ON CONFLICT DO NOTHING
RETURNING CASE WHEN state = 'failed' THEN capture_id END
