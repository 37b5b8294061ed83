-- Free tasks that are no suspects in the order of dispatch, locked, for a reserve that the queue left short.
-- $1 job, $2 budget, $3 limit. As in grant_pick.sql, locked ones are somebody else's.
SELECT t.capture_id, t.delivery, t.run, c.url
FROM tasks t JOIN jobs j ON j.id = t.job_id JOIN captures c ON c.id = t.capture_id
WHERE t.job_id = $1 AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = j.run AND t.strikes < $2
  AND NOT t.suspect AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
ORDER BY t.ord
LIMIT $3
FOR NO KEY UPDATE OF t SKIP LOCKED
