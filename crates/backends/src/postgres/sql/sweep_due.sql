-- Grants of which a lease may be over. $1 now, $2 how many, $3 a job or NULL for any.
SELECT g.id, g.job_id, g.captures
FROM grants g
WHERE g.due_at <= $1 AND ($3::bigint IS NULL OR g.job_id = $3)
ORDER BY g.due_at, g.id
LIMIT $2
