-- Not what is tested, and slow: foreign keys are checked row by row.
SET session_replication_role = replica;
-- A job that has just been collected, of {n} tasks of captures after {from}: ten live grants hold 240 of them, 576 are
-- settled, a few were struck or are suspects.
INSERT INTO captures (id, project_id, url, url_hash)
SELECT c, 1, 'https://captures.test/' || c, sha256(('u' || c)::bytea) FROM generate_series({from} + 1, {from} + {n}) c;
INSERT INTO collections (id, project_id, created_at, updated_at) VALUES ({job}, 1, 0, 0);
INSERT INTO collection_captures (collection_id, capture_id) SELECT {job}, c FROM generate_series({from} + 1, {from} + {n}) c;
INSERT INTO jobs (id, project_id, name, status, failure_threshold, pipeline_id, collection_id, fingerprint, collected, set_complete,
                  total, processed, max_capture_id, created_at, updated_at, started_at)
VALUES ({job}, 1, 'running', 'STARTED', 0.5, 1, {job}, 'f', true, true, {n}, 576, {from} + {n}, 2, 2, 2);
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint) VALUES ({job}, 1, 1, '[[1, null]]', 'f');
INSERT INTO tasks (job_id, capture_id, ord, run)
SELECT {job}, c, c::bigint * 7919 % 2147483647, 1 FROM generate_series({from} + 1, {from} + {n}) c;
-- Grants by the order of dispatch, 24 tasks each: the first 24 are answered, 20 of them are known to hold
-- nothing more, and the next ten live.
WITH placed AS (
    SELECT capture_id, (row_number() OVER (ORDER BY ord, capture_id) - 1) / 24 AS at FROM tasks WHERE job_id = {job}
), batches AS (
    SELECT at, array_agg(capture_id ORDER BY capture_id) AS captures FROM placed WHERE at < 34 GROUP BY at
)
INSERT INTO grants (id, job_id, worker_id, granted_at, lease_until, due_at, captures, answered, empty)
SELECT {job} * 100000 + at, {job}, at % 40 + 1, 10 + at, 1000 + at, 1000 + at, captures, at < 24, at < 20 FROM batches;
WITH e AS MATERIALIZED (
    SELECT g.*, unnest(g.captures) AS capture_id FROM grants g WHERE g.job_id = {job}
)
UPDATE tasks t SET delivery = 1, holder = e.worker_id, grant_id = e.id, granted_at = e.granted_at, lease_until = e.lease_until
FROM e WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id;
UPDATE tasks SET state = 'processed', grant_id = NULL, lease_until = NULL, settled_at = 20, n_detections = 1
WHERE job_id = {job} AND grant_id < {job} * 100000 + 24;
UPDATE tasks SET strikes = 1 WHERE job_id = {job} AND state = 'pending' AND capture_id % 10000 = 1;
UPDATE tasks SET suspect = true, died_grant = 5 WHERE job_id = {job} AND state = 'pending' AND capture_id % 50000 = 1;
UPDATE grants SET suspect = true WHERE id = {job} * 100000 + 33;
INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at)
SELECT {job}, ord, capture_id, 1, 1, 0, 0, 1, 1, 1 FROM tasks WHERE job_id = {job} AND state = 'processed';
INSERT INTO classifications (job_id, ord, capture_id, n, position, algorithm_id, label, terminal, scores, logits, at)
SELECT job_id, ord, capture_id, n, 0, 1, 'l', true, '', '', 1 FROM detections WHERE job_id = {job};
INSERT INTO job_logs (job_id, at, level, message) SELECT {job}, 1, 'INFO', 'm' FROM generate_series(1, 50);
-- What statements are asked for: 24 of each.
CREATE TABLE known AS
SELECT 'free' AS name, array_agg(capture_id)::text AS value
FROM (SELECT capture_id FROM tasks WHERE job_id = {job} AND state = 'pending' AND grant_id IS NULL AND NOT suspect LIMIT 24) t
UNION ALL SELECT 'leased', captures::text FROM grants WHERE id = {job} * 100000 + 30
UNION ALL SELECT 'settled', captures::text FROM grants WHERE id = {job} * 100000 + 3
UNION ALL SELECT 'set', array_agg(c)::text FROM generate_series({from} + 1001, {from} + 1024) c
UNION ALL SELECT 'ords', array_agg(ord ORDER BY ord)::text FROM (SELECT * FROM detections WHERE job_id = {job} ORDER BY ord LIMIT 24) d
UNION ALL SELECT 'place', ord::text FROM (SELECT * FROM detections WHERE job_id = {job} ORDER BY ord OFFSET 23 LIMIT 1) d
UNION ALL SELECT 'places', array_agg(n)::text FROM (SELECT unnest(ARRAY[ord, capture_id]) AS n FROM (SELECT * FROM detections WHERE job_id = {job} ORDER BY ord LIMIT 24) d) d
UNION ALL SELECT 'found', array_agg(capture_id ORDER BY ord)::text FROM (SELECT * FROM detections WHERE job_id = {job} ORDER BY ord LIMIT 24) d
UNION ALL SELECT 'jobs', array_fill({job}, ARRAY[24])::text
UNION ALL SELECT 'grants', array_fill({job} * 100000 + 30, ARRAY[24])::text
UNION ALL SELECT 'last', ({from} + {n} - 2000)::text;
