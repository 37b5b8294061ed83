-- Adds tasks whose captures had no URL when they were read, which decides nothing: those that have none now have failed. Returns of
-- each that was added its capture if it has failed, else NULL. $1 job, $2 run, $3 [[capture, ord], …] (JSON), $4 now.
INSERT INTO tasks (job_id, capture_id, ord, run, state, reason, detail, settled_at)
SELECT $1, c.id, e.value->>1, $2,
       CASE WHEN c.url = '' THEN 'failed' ELSE 'pending' END,
       CASE WHEN c.url = '' THEN 'no_url' END,
       CASE WHEN c.url = '' THEN 'the capture has no url' END,
       CASE WHEN c.url = '' THEN $4 END
FROM json_each($3) e CROSS JOIN captures c ON c.id = e.value->>0
WHERE true
ON CONFLICT DO NOTHING
RETURNING CASE WHEN state = 'failed' THEN capture_id END
