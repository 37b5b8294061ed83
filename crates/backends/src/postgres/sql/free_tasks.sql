-- Free tasks of a job in dispatch order after a cursor, by tasks_free. $1 job, $2 place, $3 capture, $4 limit.
-- What no index holds stands in a CASE, and the limit is a subquery: the planner then neither believes that hardly a task
-- is free, nor that it has to read them all and sort them (docs/adr/0008).
SELECT t.ord, t.capture_id, t.run, t.delivery
FROM tasks t
WHERE t.job_id + 0 = $1 AND t.state = 'pending' AND (t.ord, t.capture_id) > ($2, $3)
  AND CASE WHEN t.grant_id IS NULL AND t.run = (SELECT j.run FROM jobs j WHERE j.id = $1) THEN true END
ORDER BY t.ord, t.capture_id
LIMIT (SELECT $4::bigint)
