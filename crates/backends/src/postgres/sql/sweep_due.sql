-- Grants of which a lease may be over. $1 now, $2 how many, $3 a job or NULL for any. With a job go the other grants of
-- its workers: a death is charged to the oldest that its worker held, of whatever job.
SELECT g.id, g.job_id, g.captures, g.worker_id
FROM grants g
WHERE g.due_at <= $1
  AND ($3::bigint IS NULL OR g.worker_id IN (SELECT h.worker_id FROM grants h WHERE h.job_id + 0 = $3 AND h.due_at <= $1))
ORDER BY g.due_at, g.id
LIMIT $2
