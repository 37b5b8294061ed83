-- Of the candidates those that may be handed out: pending, under no lease, of the current run of an active job, and
-- suspects or not as asked. A lease that has ended is still one until the sweep has counted its end.
-- $1 job, $2 budget, $3 limit, $4 candidates, $5 suspects.
-- What another transaction holds is being handed out or settled, so it is skipped. The conditions are checked again on a
-- row that changed before it could be locked. The job's row is read without a lock (A7): every settlement writes it.
SELECT t.capture_id, t.delivery, t.run, c.url
FROM tasks t JOIN jobs j ON j.id = t.job_id JOIN captures c ON c.id = t.capture_id
WHERE t.job_id = $1 AND t.capture_id = ANY ($4)
  AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run AND t.strikes < $2 AND t.suspect = $5
  AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
ORDER BY t.capture_id
LIMIT $3
FOR NO KEY UPDATE OF t SKIP LOCKED
