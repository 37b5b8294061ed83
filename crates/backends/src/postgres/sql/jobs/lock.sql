-- A job's status, which stays until the transaction ends. $1 job.
SELECT status FROM jobs WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE
