-- Records a grant. $1 job, $2 captures, $3 worker, $4 now, $5 lease until, $6 whether of a suspect.
WITH made AS (
    INSERT INTO grants (job_id, worker_id, granted_at, lease_until, due_at, captures, suspect)
    VALUES ($1, $3, $4, $5, $5, $2, $6) RETURNING id
), handed AS (
    UPDATE tasks SET delivery = delivery + 1, holder = $3, grant_id = made.id, granted_at = $4, lease_until = $5
    FROM made WHERE job_id = $1 AND capture_id = ANY ($2)
)
SELECT id FROM made
