-- ?1 job, ?2 captures, ?3 worker, ?4 grant, ?5 now, ?6 lease until.
UPDATE tasks SET delivery = delivery + 1, holder = ?3, grant_id = ?4, granted_at = ?5, lease_until = ?6
WHERE job_id = ?1 AND capture_id IN (SELECT value FROM json_each(?2))
