-- A store with 400 jobs, one of which has 20,000 images: half are settled, forty are at workers, and the hand-outs of others are over.
CREATE TEMP TABLE n AS WITH RECURSIVE c (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 20000) SELECT n FROM c;
INSERT INTO algorithms (id, key, version, name, created_at, updated_at) VALUES (1, 'a', 1, 'a', 0, 0);
INSERT INTO pipelines (id, slug, name, version, created_at, updated_at) VALUES (1, 'p', 'p', 1, 0, 0);
INSERT INTO pipeline_algorithms (pipeline_id, position, algorithm_id) VALUES (1, 0, 1);
INSERT INTO workers (id, token_id, instance, name, pipelines, first_seen, last_seen)
SELECT n, 1, 'w' || n, 'w' || n, '["p"]', 0, n FROM n WHERE n <= 40;
INSERT INTO captures (id, project_id, url, taken_at) SELECT n, 1, 'https://captures.test/' || n, n * 1000000 FROM n;
INSERT INTO collections (id, project_id, name, created_at, updated_at) SELECT n, 1, 'set ' || n, 0, 0 FROM n WHERE n <= 200;
INSERT INTO collection_captures (collection_id, capture_id) SELECT 1, n FROM n;
INSERT INTO jobs (id, project_id, name, status, failure_threshold, pipeline_id, collection_id, fingerprint, collected, set_complete,
                  total, created_at, updated_at, started_at, finished_at)
SELECT n, 1, 'night ' || n, CASE WHEN n = 1 THEN 'STARTED' ELSE 'SUCCESS' END, 0.5, 1, 1, 'f', 1, 1, 20000, n, n, n,
       CASE WHEN n > 1 THEN n END
FROM n WHERE n <= 400;
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint) SELECT id, 1, 1, '[[1, null]]', 'f' FROM jobs;
INSERT INTO tasks (job_id, capture_id, ord, run, state, delivery, holder, reason, detail, settled_at, n_detections)
SELECT 1, n, n * 7919 % 65537, 1, CASE WHEN n > 10000 THEN 'pending' WHEN n % 11 > 4 THEN 'failed' ELSE 'processed' END, n <= 10000,
       n % 40 + 1, CASE WHEN n <= 10000 AND n % 11 > 4 THEN 'worker_error' END, NULL, CASE WHEN n <= 10000 THEN n END, n % 11 < 5
FROM n;
INSERT INTO grants (id, job_id, worker_id, granted_at, lease_until, due_at, captures, empty)
SELECT n, 1, n % 40 + 1, n, n, n, '[' || (10000 + n) || ']', n > 40 FROM n WHERE n <= 9000;
UPDATE tasks SET grant_id = capture_id - 10000, delivery = 1 WHERE capture_id BETWEEN 10001 AND 10040;
INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at, score)
SELECT 1, ord, capture_id, 1, 1, 0, 0, 1, 1, 1, capture_id % 100 / 100.0 FROM tasks WHERE state = 'processed';
INSERT INTO classifications (job_id, ord, capture_id, n, position, algorithm_id, label, terminal, score, scores, logits, at)
SELECT job_id, ord, capture_id, n, 0, 1, 'moth', 1, score, x'', x'', 1 FROM detections;
INSERT INTO job_logs (job_id, at, level, message, capture_id)
SELECT 1, n, CASE WHEN n % 100 = 0 THEN 'WARNING' ELSE 'INFO' END, 'm', CASE WHEN n % 2 = 0 THEN n END FROM n;
INSERT INTO job_minutes (job_id, step, minute, processed, failed) SELECT 1, 1, n, 5, 6 FROM n WHERE n <= 1440;
INSERT INTO worker_minutes (worker_id, step, minute, processed, failed, lost) SELECT n % 40 + 1, 1, n / 40, 5, 6, 0 FROM n;
INSERT INTO labels (id, text) SELECT n, 'l' || n FROM n WHERE n <= 500;
INSERT INTO label_index (job_id, label_id, rank, capture_id, n) SELECT job_id, 1, capture_id, capture_id, n FROM detections;
INSERT INTO label_counts (job_id, label_id, bin, n) SELECT 1, n / 20 + 1, n % 20, 5 FROM n WHERE n < 9999;
INSERT INTO activity (job_id, label_id, half_hour, n) SELECT 1, n / 48 + 1, n % 48, 5 FROM n;
INSERT INTO taken_index (job_id, half_hour, capture_id) SELECT 1, n % 48, n FROM n WHERE n <= 10000;
