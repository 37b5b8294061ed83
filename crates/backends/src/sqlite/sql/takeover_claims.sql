-- Frees what dispatchers of a process that is gone had claimed.
UPDATE jobs INDEXED BY jobs_running SET dispatch_until = NULL
WHERE deleted_at IS NULL AND status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN') AND dispatch_until IS NOT NULL
