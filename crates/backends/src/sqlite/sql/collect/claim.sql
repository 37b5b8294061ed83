-- The next job that waits for a dispatcher: highest priority, then oldest. $1 now.
-- The list of all statuses that run is there for the index, which SQLite takes by its very words.
SELECT id, run, mode, watermark, phase, max_capture_id, pipeline_id, collection_id, capture_id
FROM jobs INDEXED BY jobs_running
WHERE deleted_at IS NULL AND status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN')
  AND (status IN ('PENDING', 'RETRY') OR (status = 'STARTED' AND NOT collected))
  AND (dispatch_until IS NULL OR dispatch_until < $1)
  AND (not_before IS NULL OR not_before <= $1)
ORDER BY priority DESC, id
LIMIT 1
