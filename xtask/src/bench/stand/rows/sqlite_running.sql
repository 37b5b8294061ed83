-- $jobs running jobs of $tasks free tasks each, all on the same captures; the last result of each came just now.
BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $tasks)
INSERT INTO captures (project_id, url) SELECT 1, 'https://captures.test/running/' || i FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $jobs),
     now (at) AS (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER))
INSERT INTO jobs (project_id, name, status, failure_threshold, pipeline_id, collected, set_complete, total, candidates, created_at,
    updated_at, started_at, last_result_at)
SELECT 1, 'running-' || i, 'STARTED', 0.5, (SELECT max(id) FROM pipelines WHERE slug = 'bench'), 1, 1, $tasks, $tasks, at, at, at, at
FROM n, now;
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
SELECT id, run, pipeline_id, '[]', '' FROM jobs WHERE name LIKE 'running-%';
INSERT INTO tasks (job_id, capture_id, ord, run)
SELECT j.id, c.id, c.id, 1 FROM jobs j, captures c
WHERE j.name LIKE 'running-%' AND c.url LIKE 'https://captures.test/running/%'
ORDER BY j.id, c.id;
COMMIT
