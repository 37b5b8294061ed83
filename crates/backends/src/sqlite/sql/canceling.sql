-- Jobs whose cancel was cut short. $1 not touched since.
-- The list of all statuses that run is there for the index, which SQLite takes by its very words.
SELECT id FROM jobs INDEXED BY jobs_running
WHERE status = 'CANCELING' AND updated_at <= $1 AND deleted_at IS NULL
  AND status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN')
LIMIT 100
