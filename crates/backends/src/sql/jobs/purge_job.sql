-- Removes the row of a deleted job. $1 job.
DELETE FROM jobs WHERE id = $1
