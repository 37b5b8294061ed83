-- A job's status and counters. $1 job.
SELECT status, run, total, processed, failed FROM jobs WHERE id = $1 AND deleted_at IS NULL
