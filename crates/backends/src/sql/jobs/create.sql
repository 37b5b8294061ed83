-- A new job, unless a request of its key made one before. $1 project, $2 name, $3 type, $4 status, $5 priority, $6 threshold,
-- $7 delay, $8 not before, $9 pipeline, $10 set, $11 capture, $12 limit, $13 shuffle, $14 reprocess, $15 now, $16 key or NULL,
-- $17 what was asked for.
INSERT INTO jobs (project_id, name, job_type, status, priority, failure_threshold, delay_seconds, not_before, pipeline_id,
                  collection_id, capture_id, image_limit, shuffle, reprocess, created_at, updated_at, create_key, create_asked)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16, $17)
ON CONFLICT (project_id, create_key) WHERE create_key IS NOT NULL DO NOTHING
RETURNING id
