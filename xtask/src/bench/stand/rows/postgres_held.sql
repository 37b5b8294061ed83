-- A job of $tasks images that has landed, with three detections and classifications of each, and its summary. Its captures lie far above all
-- others and have no rows, which nobody asks for.
INSERT INTO jobs (project_id, name, status, failure_threshold, pipeline_id, collected, set_complete, total, candidates, processed,
    detections, classifications, created_at, updated_at, started_at, last_result_at, finished_at)
SELECT 1, 'held', 'SUCCESS', 0.5, (SELECT max(id) FROM pipelines WHERE slug = 'bench'), TRUE, TRUE, $tasks, $tasks, $tasks,
       3 * $tasks, 3 * $tasks, at, at, at, at, at
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at) now;
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
SELECT id, run, pipeline_id, '[]', '' FROM jobs WHERE name = 'held';
INSERT INTO summaries (job_id, run, version, phase, at_ord, at_capture, at_n, seen, images_1, images_2, images_6, images_21, as_of)
SELECT id, run, 1, 'done', 0, 0, 0, 3 * $tasks, 0, $tasks, 0, 0, created_at FROM jobs WHERE name = 'held';
INSERT INTO tasks (job_id, capture_id, ord, run, state, delivery, settled_at, n_detections, n_classifications, spec_run)
SELECT j.id, 1000000000 + i, i, 1, 'processed', 1, j.created_at, 3, 3, 1 FROM generate_series(1, $tasks) i, jobs j WHERE j.name = 'held';
INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at, inference_seconds, score)
SELECT j.id, i, 1000000000 + i, d, 1, 100.5 * d, 210.75, 281.0 * d, 388.125, j.created_at, 0.021, 0.8765
FROM generate_series(1, $tasks) i, generate_series(1, 3) d, jobs j WHERE j.name = 'held';
INSERT INTO classifications (job_id, ord, capture_id, n, position, algorithm_id, label, terminal, score, scores, logits, at,
    inference_seconds)
SELECT j.id, i, 1000000000 + i, d, 0, 2, 'Noctua pronuba', TRUE, 0.918273, decode(repeat('3f', 40), 'hex'), '', j.created_at, 0.013
FROM generate_series(1, $tasks) i, generate_series(1, 3) d, jobs j WHERE j.name = 'held'
