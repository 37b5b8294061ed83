-- Jobs whose cancel was cut short. $1 not touched since.
SELECT id FROM jobs WHERE status = 'CANCELING' AND updated_at <= $1 AND deleted_at IS NULL LIMIT 100
