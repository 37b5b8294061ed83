-- Records a grant. $1 job, $2 captures, $3 worker, $4 now, $5 lease until, $6 whether of a suspect, $7 whether
-- exclusive.
-- The tasks are looked up by the keys that the grant's row says: a job that the planner knows could be read as a whole.
WITH made AS (
    INSERT INTO grants (job_id, worker_id, granted_at, lease_until, due_at, captures, suspect, exclusive)
    VALUES ($1, $3, $4, $5, $5, $2, $6, $7) RETURNING id, job_id, captures
), handed AS (
    UPDATE tasks t SET delivery = t.delivery + 1, holder = $3, grant_id = e.id, granted_at = $4, lease_until = $5
    FROM (SELECT id, job_id, unnest(captures) AS capture_id FROM made) e
    WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
)
SELECT id FROM made
