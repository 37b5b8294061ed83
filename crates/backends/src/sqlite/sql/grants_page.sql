-- Grants that may hold a task, with how many they had. $1 and $2 job and grant after which to begin, $3 how many.
SELECT g.job_id, g.id, json_array_length(g.captures) FROM grants g INDEXED BY grants_held
WHERE g.empty = 0 AND (g.job_id, g.id) > ($1, $2)
ORDER BY g.job_id, g.id
LIMIT $3
