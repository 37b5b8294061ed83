-- A running job of $tasks tasks, the first half of them done; its last result came just now.
INSERT INTO captures (project_id, url, url_hash)
SELECT 1, url, sha256(url::bytea)
FROM (SELECT 'https://captures.test/half/' || i AS url FROM generate_series(1, $tasks) i) c;
INSERT INTO jobs (project_id, name, status, failure_threshold, pipeline_id, collected, set_complete, total, candidates, processed,
    created_at, updated_at, started_at, last_result_at)
SELECT 1, 'half', 'STARTED', 0.5, (SELECT max(id) FROM pipelines WHERE slug = 'bench'), TRUE, TRUE, $tasks, $tasks, $tasks / 2, at, at, at, at
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at) now;
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
SELECT id, run, pipeline_id, '[]', '' FROM jobs WHERE name = 'half';
INSERT INTO tasks (job_id, capture_id, ord, run, state, delivery, settled_at, spec_run)
SELECT j.id, c.id, c.id, 1, CASE WHEN c.n <= $tasks / 2 THEN 'processed' ELSE 'pending' END, (c.n <= $tasks / 2)::int,
       CASE WHEN c.n <= $tasks / 2 THEN j.created_at END, CASE WHEN c.n <= $tasks / 2 THEN 1 END
FROM jobs j, (SELECT id, row_number() OVER (ORDER BY id) AS n FROM captures WHERE url LIKE 'https://captures.test/half/%') c
WHERE j.name = 'half' ORDER BY c.id
