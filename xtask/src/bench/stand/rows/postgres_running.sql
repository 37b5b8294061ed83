-- $jobs running jobs of $tasks free tasks each, all on the same captures; the last result of each came just now.
INSERT INTO captures (project_id, url, url_hash)
SELECT 1, url, sha256(url::bytea)
FROM (SELECT 'https://captures.test/running/' || i AS url FROM generate_series(1, $tasks) i) c;
INSERT INTO jobs (project_id, name, status, failure_threshold, pipeline_id, collected, set_complete, total, candidates, created_at,
    updated_at, started_at, last_result_at)
SELECT 1, 'running-' || i, 'STARTED', 0.5, (SELECT max(id) FROM pipelines WHERE slug = 'bench'), TRUE, TRUE, $tasks, $tasks, at, at, at, at
FROM generate_series(1, $jobs) i, (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at) now;
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
SELECT id, run, pipeline_id, '[]', '' FROM jobs WHERE name LIKE 'running-%';
INSERT INTO tasks (job_id, capture_id, ord, run)
SELECT j.id, c.id, c.id, 1 FROM jobs j, captures c
WHERE j.name LIKE 'running-%' AND c.url LIKE 'https://captures.test/running/%'
ORDER BY j.id, c.id
