-- Jobs with tasks to project.
-- The list of all statuses that run is there for the index, which SQLite takes by its very words.
SELECT id FROM jobs INDEXED BY jobs_running
WHERE status IN ('STARTED', 'RETRY') AND collected AND deleted_at IS NULL
  AND status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN')
ORDER BY id
