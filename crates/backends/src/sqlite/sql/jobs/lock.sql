-- A job's status. $1 job.
SELECT status FROM jobs WHERE id = $1 AND deleted_at IS NULL
