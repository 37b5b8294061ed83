-- $1 job, $2 run, $3 captures, $4 their places, $5 whether each has no URL, $6 now.
INSERT INTO tasks (job_id, capture_id, ord, run, state, reason, detail, settled_at)
SELECT $1, e.capture_id, e.ord, $2,
       CASE WHEN e.no_url THEN 'failed' ELSE 'pending' END,
       CASE WHEN e.no_url THEN 'no_url' END,
       CASE WHEN e.no_url THEN 'the capture has no url' END,
       CASE WHEN e.no_url THEN $6::bigint END
FROM unnest($3::bigint[], $4::bigint[], $5::boolean[]) AS e (capture_id, ord, no_url)
ON CONFLICT DO NOTHING
RETURNING state = 'failed'
