-- How many workers were seen since a time and do not drain, by the slugs that they last asked for. $1 project, $2 since.
SELECT e.slug, COUNT(*) AS workers
FROM workers AS w LEFT JOIN tokens AS t ON t.id = w.token_id CROSS JOIN unnest(w.pipelines) AS e (slug)
WHERE (t.project_id IS NULL OR t.project_id = $1) AND w.last_seen >= $2 AND NOT w.draining
GROUP BY e.slug ORDER BY e.slug COLLATE "C"
