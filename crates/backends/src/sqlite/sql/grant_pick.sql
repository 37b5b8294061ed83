-- A candidate, if it may be handed out: pending, under no lease, of the current run of an active job, and a suspect or not as
-- asked, or either. A lease that has ended is still one until the sweep has counted its end.
-- ?1 job, ?2 capture, ?3 budget, ?4 suspect, or NULL for either.
SELECT t.run, t.delivery, c.url
FROM tasks t CROSS JOIN jobs j ON j.id = t.job_id CROSS JOIN captures c ON c.id = t.capture_id
WHERE t.job_id = ?1 AND t.capture_id = ?2
  AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run AND t.strikes < ?3 AND t.suspect = ifnull(?4, t.suspect)
  AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
