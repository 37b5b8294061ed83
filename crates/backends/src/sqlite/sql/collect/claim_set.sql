-- Takes the claim and raises the fence; the first claim of a job fixes its set. Its run has its spec by now, which the
-- job's row repeats. $1 job, $2 until, $3 now, $4 seed.
-- A job is not taken for idle because a node was paused between reading the time and writing it: what decides is no
-- older than the last heartbeat of any node.
UPDATE jobs SET
    status         = 'STARTED',
    dispatch_epoch = dispatch_epoch + 1,
    dispatch_until = $2,
    started_at     = ifnull(started_at, max($3, (SELECT ifnull(alive_at, 0) FROM cluster))),
    updated_at     = $3,
    seed           = CASE WHEN max_capture_id IS NULL THEN $4 ELSE seed END,
    max_capture_id = ifnull(max_capture_id, ifnull(capture_id,
                         (SELECT max(capture_id) FROM collection_captures cc WHERE cc.collection_id = jobs.collection_id))),
    candidates     = CASE WHEN max_capture_id IS NOT NULL THEN candidates WHEN capture_id IS NOT NULL THEN 1 ELSE
                         (SELECT count(*) FROM collection_captures cc WHERE cc.collection_id = jobs.collection_id) END,
    pipeline_id    = ifnull((SELECT s.pipeline_id FROM run_specs s WHERE s.job_id = jobs.id AND s.run = jobs.run), pipeline_id),
    algorithms     = ifnull((SELECT s.algorithms FROM run_specs s WHERE s.job_id = jobs.id AND s.run = jobs.run), algorithms),
    fingerprint    = ifnull((SELECT s.fingerprint FROM run_specs s WHERE s.job_id = jobs.id AND s.run = jobs.run), fingerprint)
WHERE id = $1
RETURNING dispatch_epoch
