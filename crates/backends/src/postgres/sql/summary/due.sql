-- Jobs whose summary may have to go on: those that run, and those whose summary is not done. $1 limit.
SELECT id FROM jobs WHERE status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN') AND deleted_at IS NULL
UNION
SELECT job_id + 0 FROM summaries WHERE phase <> 'done'
ORDER BY 1 LIMIT $1
