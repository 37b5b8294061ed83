-- Moves a job by the table of `JobMove::transition`; only counts.sql and claim_set.sql write its status besides.
-- $1 job, $2 from (JSON list), $3 to, $4 now,
-- $5 mode of a new run or NULL. Raising the epoch fences whatever dispatcher is at work.
-- `updated_at` is not older than the last heartbeat of any node: this one may have been paused since it read the time.
UPDATE jobs SET
    status         = $3,
    updated_at     = max($4, (SELECT ifnull(alive_at, 0) FROM cluster)),
    dispatch_epoch = dispatch_epoch + 1,
    dispatch_until = NULL,
    not_before     = CASE WHEN $3 = 'PENDING' AND delay_seconds > 0 THEN $4 + delay_seconds * 1000000 END,
    finished_at    = CASE WHEN $3 = 'REVOKED' THEN $4 WHEN $5 IS NOT NULL THEN NULL ELSE finished_at END,
    cleanup_due    = CASE WHEN $3 = 'REVOKED' THEN 1 WHEN $5 IS NOT NULL THEN 0 ELSE cleanup_due END,
    run            = run + ($5 IS NOT NULL),
    mode           = ifnull($5, mode),
    collected      = CASE WHEN $5 IS NULL THEN collected ELSE 0 END,
    watermark      = CASE WHEN $5 IS NULL THEN watermark ELSE 0 END,
    -- A set that was never collected to its end is completed first.
    phase          = CASE WHEN $5 IS NULL THEN phase ELSE set_complete END,
    skipped        = CASE WHEN $5 IS NULL OR set_complete THEN skipped ELSE 0 END,
    started_at     = CASE WHEN $5 IS NULL THEN started_at END,
    last_result_at = CASE WHEN $5 IS NULL THEN last_result_at END,
    errors         = CASE WHEN $5 IS NULL THEN errors ELSE '[]' END
WHERE id = $1 AND deleted_at IS NULL AND status IN (SELECT value FROM json_each($2))
  AND ($5 IS NULL OR $5 = 'all' OR processed < total OR NOT set_complete)
  -- What begins to run has a pipeline and exactly one source.
  AND ($3 NOT IN ('PENDING', 'RETRY', 'STARTED')
       OR (pipeline_id IS NOT NULL AND (collection_id IS NULL) <> (capture_id IS NULL)))
