-- The lease of a task of a hand-out. ?1 job, ?2 capture, ?3 worker, ?4 grant, ?5 now, ?6 lease until.
UPDATE tasks INDEXED BY tasks_image SET delivery = delivery + 1, holder = ?3, grant_id = ?4, granted_at = ?5, lease_until = ?6
WHERE job_id = ?1 AND capture_id = ?2
