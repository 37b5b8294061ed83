-- Not what is tested, and slow: foreign keys are checked row by row.
SET session_replication_role = replica;
INSERT INTO algorithms (id, key, version, name, created_at, updated_at) VALUES (1, 'a', 1, 'a', 0, 0);
INSERT INTO pipelines (id, slug, name, version, created_at, updated_at) VALUES (1, 'p', 'p', 1, 0, 0);
INSERT INTO pipeline_algorithms (pipeline_id, position, algorithm_id) VALUES (1, 0, 1);
INSERT INTO project_pipelines (project_id, pipeline_id) VALUES (1, 1);
INSERT INTO pipeline_pointers (project_id, slug, pipeline_id, created_at, updated_at) VALUES (1, 'p', 1, 0, 0);
INSERT INTO workers (id, token_id, instance, name, one_process, pipelines, first_seen, last_seen)
SELECT n, 1, 'w' || n, 'w' || n, true, '{p}', 0, {now} FROM generate_series(1, 40) n;
-- A running job of {n} images, taken in one night. All but the last thousand are settled, six of eleven as failed; ten hand-outs
-- hold 240 of the others.
INSERT INTO captures (id, project_id, url, url_hash, taken_at)
SELECT c, 1, 'https://captures.test/' || c, sha256(('u' || c)::bytea), (19000 * 48 + 24 + c % 48) * 1800000000::bigint
FROM generate_series(1, {n}) c;
INSERT INTO collections (id, project_id, name, created_at, updated_at) VALUES (1, 1, 'night', 0, 0);
INSERT INTO collection_captures (collection_id, capture_id) SELECT 1, c FROM generate_series(1, {n}) c;
INSERT INTO jobs (id, project_id, name, status, failure_threshold, pipeline_id, collection_id, fingerprint, collected, set_complete,
                  total, processed, failed, detections, max_capture_id, created_at, updated_at, started_at, last_result_at)
VALUES (1, 1, 'night', 'STARTED', 0.5, 1, 1, 'f', true, true, {n}, ({n} - 1000) / 11 * 5, ({n} - 1000) / 11 * 6, ({n} - 1000) / 11 * 5,
        {n}, {now} - 3600000000, {now}, {now} - 3600000000, {now});
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint) VALUES (1, 1, 1, '[[1, null]]', 'f');
INSERT INTO tasks (job_id, capture_id, ord, run, state, delivery, holder, reason, detail, settled_at, n_detections)
SELECT 1, c, c::bigint * 7919 % 2147483647, 1, CASE WHEN failed THEN 'failed' ELSE 'processed' END, 1, c % 40 + 1,
       CASE WHEN failed THEN 'worker_error' END, CASE WHEN failed THEN 'HTTP 404 for https://captures.test/' || c END,
       {now}, CASE WHEN failed THEN 0 ELSE 1 END
FROM generate_series(1, {n} - 1000) c CROSS JOIN LATERAL (SELECT c % 11 > 4) s (failed);
INSERT INTO tasks (job_id, capture_id, ord, run)
SELECT 1, c, c::bigint * 7919 % 2147483647, 1 FROM generate_series({n} - 999, {n}) c;
INSERT INTO grants (id, job_id, worker_id, granted_at, lease_until, due_at, captures)
SELECT at, 1, at, {now}, {now} + 300000000, {now} + 300000000,
       ARRAY (SELECT {n} - 1000 + at * 24 + k FROM generate_series(1, 24) k)
FROM generate_series(1, 10) at;
UPDATE tasks t SET delivery = 1, holder = g.worker_id, grant_id = g.id, granted_at = g.granted_at, lease_until = g.lease_until
FROM grants g WHERE t.job_id = 1 AND t.capture_id = ANY (g.captures);
INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at, score)
SELECT 1, ord, capture_id, 1, 1, 0, 0, 1, 1, 1, capture_id % 100 / 100.0 FROM tasks WHERE job_id = 1 AND state = 'processed';
INSERT INTO classifications (job_id, ord, capture_id, n, position, algorithm_id, label, terminal, score, scores, logits, at)
SELECT job_id, ord, capture_id, n, 0, 1, 'moth', true, score, '', '', 1 FROM detections;
INSERT INTO job_logs (job_id, at, level, message)
SELECT 1, {now}, CASE WHEN n % 100 = 0 THEN 'WARNING' ELSE 'INFO' END, 'm' FROM generate_series(1, {n}) n;
INSERT INTO job_minutes (job_id, step, minute, processed, failed)
SELECT 1, 1, {now} / 60000000 - n, 5, 6 FROM generate_series(0, 59) n;
INSERT INTO worker_minutes (worker_id, step, minute, processed, failed, lost)
SELECT n % 40 + 1, 1, {now} / 60000000 - n / 40, 5, 6, 0 FROM generate_series(0, 2399) n;
-- What the summary of the job holds.
INSERT INTO summaries (job_id, run, version, phase, at_ord, at_capture, at_n, seen, images_1, images_2, images_6, images_21, as_of)
SELECT 1, 1, 1, 'done', -1, 0, 0, detections, detections, 0, 0, 0, {now} FROM jobs;
INSERT INTO labels (id, text) SELECT n, 'l' || n FROM generate_series(1, 500) n;
INSERT INTO labels (id, text) VALUES ({label}, 'moth');
INSERT INTO label_index (job_id, label_id, rank, capture_id, n)
SELECT job_id, {label}, round((1 - score) * 1000000)::bigint, capture_id, n FROM detections;
INSERT INTO label_counts (job_id, label_id, bin, n) SELECT 1, id, bin, 5 FROM labels, generate_series(-1, 19) bin;
INSERT INTO activity (job_id, label_id, half_hour, n)
SELECT 1, label, 19000 * 48 + 24 + at, 5 FROM generate_series(-1, 20) label, generate_series(0, 47) at;
INSERT INTO taken_index (job_id, half_hour, capture_id)
SELECT 1, 19000 * 48 + 24 + c % 48, c FROM generate_series(1, {n} - 1000) c;
INSERT INTO thumbnails (capture_id, job_id, width, height, jpeg) SELECT c, 1, 4, 3, '\xffd8ff' FROM generate_series(1, {n}) c;
