-- A deleted job of which nothing is handed out or projected.
SELECT id FROM jobs WHERE deleted_at IS NOT NULL AND NOT cleanup_due
  AND (SELECT true FROM grants g WHERE g.job_id + 0 = jobs.id LIMIT 1) IS NULL LIMIT 1
