-- Free tasks of a job in dispatch order after a cursor. $1 job, $2 place, $3 capture, $4 limit.
SELECT t.ord, t.capture_id, t.run, t.delivery FROM tasks t INDEXED BY tasks_pending
WHERE t.job_id = $1 AND t.state = 'pending' AND t.grant_id IS NULL AND t.run = (SELECT run FROM jobs WHERE id = $1)
  AND t.ord >= $2 AND (t.ord, t.capture_id) > ($2, $3)
ORDER BY t.ord, t.capture_id
LIMIT $4
