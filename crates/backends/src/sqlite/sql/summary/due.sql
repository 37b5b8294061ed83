-- Jobs whose summary may have to go on: those that run, and those whose summary is not done. $1 limit.
-- The list of all statuses that run is there for the index, which SQLite takes by its very words.
SELECT id FROM jobs INDEXED BY jobs_running WHERE status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN') AND deleted_at IS NULL
UNION
SELECT job_id FROM summaries INDEXED BY summaries_open WHERE phase <> 'done'
ORDER BY 1 LIMIT $1
