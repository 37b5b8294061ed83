-- Grants of which a lease may be over. ?1 now, ?2 how many, ?3 a job or NULL for any.
SELECT g.id, g.job_id, g.granted_at, g.captures, g.answered, g.worker_id, w.name AS worker, w.extend_from,
       w.extended_until, w.charged_until
FROM grants g LEFT JOIN workers w ON w.id = g.worker_id
WHERE g.due_at <= ?1 AND (?3 IS NULL OR g.job_id = ?3)
ORDER BY g.due_at, g.id
LIMIT ?2
