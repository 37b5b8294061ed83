-- Not what is tested, and slow: foreign keys are checked row by row.
SET session_replication_role = replica;
-- A job that has ended, of {n} tasks of captures after {from}: a third was pending once, and seven still
-- are. So the index of what is pending has many pages and hardly a row.
INSERT INTO captures (id, project_id, url, url_hash)
SELECT c, 1, 'https://captures.test/' || c, sha256(('u' || c)::bytea) FROM generate_series({from} + 1, {from} + {n}) c;
INSERT INTO collections (id, project_id, created_at, updated_at) VALUES ({job}, 1, 0, 0);
INSERT INTO collection_captures (collection_id, capture_id) SELECT {job}, c FROM generate_series({from} + 1, {from} + {n}) c;
INSERT INTO jobs (id, project_id, name, status, failure_threshold, pipeline_id, collection_id, fingerprint, collected, set_complete,
                  total, processed, max_capture_id, created_at, updated_at, started_at)
VALUES ({job}, 1, 'ended', 'REVOKED', 0.5, 1, {job}, 'f', true, true, {n}, {n} - 7, {from} + {n}, 0, 0, 0);
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint) VALUES ({job}, 1, 1, '[[1, null]]', 'f');
INSERT INTO tasks (job_id, capture_id, ord, run)
SELECT {job}, c, c::bigint * 7919 % 2147483647, 1 FROM generate_series({from} + 1, {from} + {n} / 3) c;
UPDATE tasks SET state = 'processed', delivery = 1, settled_at = 1, n_detections = 1
WHERE job_id = {job} AND capture_id > {from} + 7;
INSERT INTO tasks (job_id, capture_id, ord, run, state, delivery, settled_at, n_detections)
SELECT {job}, c, c::bigint * 7919 % 2147483647, 1, 'processed', 1, 1, 1 FROM generate_series({from} + {n} / 3 + 1, {from} + {n}) c;
INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at)
SELECT {job}, c::bigint * 7919 % 2147483647, c, 1, 1, 0, 0, 1, 1, 1 FROM generate_series({from} + 8, {from} + {n}) c WHERE c % 4 = 0;
INSERT INTO classifications (job_id, ord, capture_id, n, position, algorithm_id, label, terminal, scores, logits, at)
SELECT job_id, ord, capture_id, n, 0, 1, 'l', true, '', '', 1 FROM detections WHERE job_id = {job};
INSERT INTO job_logs (job_id, at, level, message) SELECT {job}, 1, 'INFO', 'm' FROM generate_series(1, 1000);
-- Its grants stay until their leases would have ended, settled as they are.
INSERT INTO grants (job_id, worker_id, granted_at, lease_until, due_at, captures, answered, empty)
SELECT {job}, n % 40 + 1, 5, 900, 900, ARRAY (SELECT {from} + 1 + (n * 24 + k) % {n} FROM generate_series(0, 23) k), true, true
FROM generate_series(1, {n} / 60) n;
