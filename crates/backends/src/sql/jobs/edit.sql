-- What a person changes of a job; what is NULL stays. $1 job, $2 now, $3 name, $4 priority, $5 threshold, $6 delay, $7 shuffle;
-- what may become NULL, each with whether it changes: $8 and $9 pipeline, $10 and $11 set, $12 and $13 capture,
-- $14 and $15 limit. `updated_at` is not older than the last heartbeat of any node.
UPDATE jobs SET
    updated_at        = (SELECT max(times.at) FROM (SELECT CAST($2 AS bigint) AS at UNION ALL SELECT alive_at FROM cluster) AS times),
    name              = coalesce($3, name),
    priority          = coalesce($4, priority),
    failure_threshold = coalesce($5, failure_threshold),
    delay_seconds     = coalesce($6, delay_seconds),
    shuffle           = coalesce($7, shuffle),
    pipeline_id       = CASE WHEN $8 THEN $9 ELSE pipeline_id END,
    collection_id     = CASE WHEN $10 THEN $11 ELSE collection_id END,
    capture_id        = CASE WHEN $12 THEN $13 ELSE capture_id END,
    image_limit       = CASE WHEN $14 THEN $15 ELSE image_limit END
WHERE id = $1
