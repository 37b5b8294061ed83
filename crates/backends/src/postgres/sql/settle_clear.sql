-- The other tasks of a grant that was taken for dead and is answered after all. $1 job, $2 grant.
-- They come after the group's own tasks, out of the order of A10; a deadlock is tried again, and this is rare.
UPDATE tasks SET suspect = false
FROM (SELECT job_id, capture_id FROM tasks WHERE job_id - 0 = $1 AND state = 'pending' AND suspect AND died_grant = $2
      ORDER BY capture_id FOR NO KEY UPDATE) s
WHERE tasks.job_id = s.job_id AND tasks.capture_id = s.capture_id
