-- Adds tasks; returns of each that was added its capture if it has failed, else NULL. $1 job, $2 run, $3 [[capture, ord, no_url], …] (JSON), $4 now.
INSERT INTO tasks (job_id, capture_id, ord, run, state, reason, detail, settled_at)
SELECT $1, e.capture_id, e.ord, $2,
       CASE WHEN e.no_url THEN 'failed' ELSE 'pending' END,
       CASE WHEN e.no_url THEN 'no_url' END,
       CASE WHEN e.no_url THEN 'the capture has no url' END,
       CASE WHEN e.no_url THEN $4::bigint END
FROM (SELECT (value->>0)::bigint AS capture_id, (value->>1)::bigint AS ord, (value->>2)::boolean AS no_url
      FROM json_array_elements($3::json)) e
ON CONFLICT DO NOTHING
RETURNING CASE WHEN state = 'failed' THEN capture_id END
