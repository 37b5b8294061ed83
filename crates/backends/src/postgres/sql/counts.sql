-- Every change of a counter, and the landing with it (A9): one function, last in its transaction, and one statement for
-- all jobs of a group with the line in the log of those that landed, so that their rows are locked for one round trip; for
-- some more if images failed, whose groups are counted before.
-- $1 jobs, $2 processed, $3 failed, $4 detections, $5 classifications: deltas. $6 totals, at the end of collect, else
-- NULL. $7 now if a worker's result is the cause, else NULL. $8 now.
-- A job is not taken for idle because a node was paused between reading the time and writing it: what decides is no
-- older than the last heartbeat of any node.
-- The CASE stands three times: only an expression over the row itself is computed again from what a concurrent
-- transaction has just made of it (READ COMMITTED); a subquery would see it as it was.
WITH changed AS (
    UPDATE jobs j SET
        processed       = j.processed + d.processed,
        failed          = j.failed + d.failed,
        detections      = j.detections + d.detections,
        classifications = j.classifications + d.classifications,
        collected       = (j.collected OR d.total IS NOT NULL),
        set_complete    = (j.set_complete OR d.total IS NOT NULL),
        total           = coalesce(d.total, j.total),
        last_result_at  = CASE WHEN $7::bigint IS NULL THEN j.last_result_at
                               ELSE greatest($7, j.last_result_at, (SELECT alive_at FROM cluster)) END,
        updated_at      = greatest($8, (SELECT alive_at FROM cluster)),
        status = CASE
            WHEN (j.collected OR d.total IS NOT NULL) AND j.status IN ('CREATED', 'PENDING', 'STARTED', 'RETRY')
                 AND j.processed + d.processed + j.failed + d.failed = coalesce(d.total, j.total)
            THEN CASE WHEN coalesce(d.total, j.total) > 0
                           AND (j.failed + d.failed)::float8 / coalesce(d.total, j.total) > j.failure_threshold
                      THEN 'FAILURE' ELSE 'SUCCESS' END
            ELSE j.status END,
        finished_at = CASE
            WHEN (j.collected OR d.total IS NOT NULL) AND j.status IN ('CREATED', 'PENDING', 'STARTED', 'RETRY')
                 AND j.processed + d.processed + j.failed + d.failed = coalesce(d.total, j.total)
            THEN $8 ELSE j.finished_at END,
        cleanup_due = CASE
            WHEN (j.collected OR d.total IS NOT NULL) AND j.status IN ('CREATED', 'PENDING', 'STARTED', 'RETRY')
                 AND j.processed + d.processed + j.failed + d.failed = coalesce(d.total, j.total)
            THEN true ELSE j.cleanup_due END
    -- By (SELECT …) the planner does not see how many they are, and so plans once.
    FROM unnest((SELECT $1::bigint[]), $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
         AS d (id, processed, failed, detections, classifications, total)
    WHERE j.id = d.id
    RETURNING j.id, j.status, j.total, j.processed, j.failed,
              j.status IN ('SUCCESS', 'FAILURE') AND j.finished_at = $8 AS landed
), told AS (
    INSERT INTO job_logs (job_id, at, level, message)
    SELECT id, $8, CASE status WHEN 'SUCCESS' THEN 'INFO' ELSE 'ERROR' END,
           format('Job landed %s: %s processed, %s failed, of %s', status, processed, failed, total)
    FROM changed WHERE landed
)
SELECT id, status, coalesce(landed, false) AS landed FROM changed ORDER BY id
