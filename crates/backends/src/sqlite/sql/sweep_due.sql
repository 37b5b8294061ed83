-- Grants of which a lease may be over. $1 now, $2 how many, $3 a job or NULL for any. With a job go the other grants of
-- its workers: a death is charged to the oldest that its worker held, of whatever job.
SELECT g.id, g.job_id, g.granted_at, g.lease_until, g.captures, g.answered, g.given_back, g.exclusive, g.worker_id,
       w.name AS worker, w.client_info->>'instance' = w.instance AS one_process,
       w.extend_from, w.extended_until, w.recent_answers, w.charged_until
FROM grants g LEFT JOIN workers w ON w.id = g.worker_id
WHERE g.due_at <= $1
  AND ($3 IS NULL OR g.worker_id IN (SELECT h.worker_id FROM grants h INDEXED BY grants_due WHERE h.job_id = $3 AND h.due_at <= $1))
ORDER BY g.due_at, g.id
LIMIT $2
