-- The other tasks of a grant that was taken for dead and is answered after all. $1 job, $2 grant.
UPDATE tasks INDEXED BY tasks_suspect SET suspect = 0
WHERE job_id = $1 AND state = 'pending' AND suspect = 1 AND died_grant = $2
