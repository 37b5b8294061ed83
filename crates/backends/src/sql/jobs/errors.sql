-- A job's errors. $1 job.
SELECT errors FROM jobs WHERE id = $1
