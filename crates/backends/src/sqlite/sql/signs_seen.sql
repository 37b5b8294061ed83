-- When a worker was last seen, and what it runs if it said so. $1 worker, $2 when, $3 slugs (JSON).
UPDATE workers SET last_seen = max(last_seen, $2), pipelines = CASE WHEN $3 = '[]' THEN pipelines ELSE $3 END
WHERE id = $1
