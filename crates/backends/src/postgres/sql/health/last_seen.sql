-- When a worker that runs a pipeline was last seen. $1 slug, $2 the job's project.
SELECT max(w.last_seen) FROM workers w LEFT JOIN tokens t ON t.id = w.token_id
WHERE (t.project_id IS NULL OR t.project_id = $2) AND $1 = ANY (w.pipelines)
