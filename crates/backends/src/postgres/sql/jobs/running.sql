-- Jobs with tasks to project.
SELECT id FROM jobs WHERE status IN ('STARTED', 'RETRY') AND collected AND deleted_at IS NULL ORDER BY id
