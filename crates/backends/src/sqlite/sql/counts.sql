-- Every change of a counter, and the landing with it (A9): one function, last in its transaction.
-- $1 job, $2 processed, $3 failed, $4 detections, $5 classifications: deltas. $6 total, at the end of collect, else
-- NULL. $7 now if a worker's result is the cause, else NULL. $8 now.
-- A job is not taken for idle because a node was paused between reading the time and writing it: what decides is no
-- older than the last heartbeat of any node.
-- The CASE stands three times because the other dialect may not read the row before it has locked it.
UPDATE jobs SET
    processed       = processed + $2,
    failed          = failed + $3,
    detections      = detections + $4,
    classifications = classifications + $5,
    collected       = (collected OR $6 IS NOT NULL),
    set_complete    = (set_complete OR $6 IS NOT NULL),
    total           = ifnull($6, total),
    last_result_at  = ifnull(max($7, ifnull(last_result_at, 0), (SELECT ifnull(alive_at, 0) FROM cluster)), last_result_at),
    updated_at      = max($8, (SELECT ifnull(alive_at, 0) FROM cluster)),
    status = CASE
        WHEN (collected OR $6 IS NOT NULL) AND status IN ('CREATED', 'PENDING', 'STARTED', 'RETRY')
             AND processed + $2 + failed + $3 = ifnull($6, total)
        THEN CASE WHEN ifnull($6, total) > 0
                       AND CAST(failed + $3 AS REAL) / ifnull($6, total) > failure_threshold
                  THEN 'FAILURE' ELSE 'SUCCESS' END
        ELSE status END,
    finished_at = CASE
        WHEN (collected OR $6 IS NOT NULL) AND status IN ('CREATED', 'PENDING', 'STARTED', 'RETRY')
             AND processed + $2 + failed + $3 = ifnull($6, total)
        THEN $8 ELSE finished_at END,
    cleanup_due = CASE
        WHEN (collected OR $6 IS NOT NULL) AND status IN ('CREATED', 'PENDING', 'STARTED', 'RETRY')
             AND processed + $2 + failed + $3 = ifnull($6, total)
        THEN 1 ELSE cleanup_due END
WHERE id = $1
RETURNING status, finished_at, total, processed, failed
