-- Lines in jobs' logs. $1 jobs, $2 levels, $3 messages, $4 captures or NULL, $5 now.
INSERT INTO job_logs (job_id, at, level, message, capture_id)
SELECT e.job_id, $5, e.level, e.message, e.capture_id
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY
     AS e (job_id, level, message, capture_id, at)
ORDER BY e.at
