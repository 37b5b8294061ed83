-- Free suspects in the order of dispatch. $1 job, $2 limit, $3 budget, $4 by how many hand-outs it may be exceeded, $5 those
-- whose next strike may be the last, or the others.
SELECT t.capture_id FROM tasks t INDEXED BY tasks_suspect JOIN jobs j ON j.id = t.job_id
WHERE t.job_id = $1 AND t.state = 'pending' AND t.suspect = 1 AND t.grant_id IS NULL AND t.run = j.run
  AND t.strikes < $3 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
  AND (t.strikes + 1 >= $3 OR t.delivery - t.delivery_base + 1 >= $3 + $4) = $5
ORDER BY t.ord
LIMIT $2
