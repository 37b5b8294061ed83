-- Of the candidates those that may be handed out: pending, under no lease, of the current run of an active job, and
-- suspects or not as asked, or both. A lease that has ended is still one until the sweep has counted its end.
-- $1 job, $2 candidates, $3 budget, $4 suspects, or NULL for both.
SELECT t.capture_id, t.delivery, t.run, c.url
FROM json_each($2) e
CROSS JOIN tasks t ON t.job_id = $1 AND t.capture_id = e.value
CROSS JOIN jobs j ON j.id = t.job_id
CROSS JOIN captures c ON c.id = t.capture_id
WHERE t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run AND t.strikes < $3 AND t.suspect = ifnull($4, t.suspect)
  AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
ORDER BY t.capture_id
