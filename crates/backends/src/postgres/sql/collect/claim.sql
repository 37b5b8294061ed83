-- The next job that waits for a dispatcher: highest priority, then oldest. $1 now.
-- A row that is just being settled or claimed is waited for, and looked at again: skipping it could leave a busy job
-- unclaimed for long.
SELECT id, run, mode, watermark, pipeline_id
FROM jobs
WHERE deleted_at IS NULL
  AND (status IN ('PENDING', 'RETRY') OR (status = 'STARTED' AND NOT collected))
  AND (dispatch_until IS NULL OR dispatch_until < $1)
  AND (not_before IS NULL OR not_before <= $1)
ORDER BY priority DESC, id
LIMIT 1
FOR NO KEY UPDATE
