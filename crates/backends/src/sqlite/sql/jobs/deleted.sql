-- A deleted job of which nothing is handed out or projected.
SELECT id FROM jobs WHERE deleted_at IS NOT NULL AND cleanup_due = 0
  AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.job_id = jobs.id) LIMIT 1
