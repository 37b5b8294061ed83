-- Whether a chosen job is still as it was: no result came since. Its row is locked, so that none can until the
-- transaction ends. That is before its tasks, out of the order of A10, and no deadlock, because every lock of a
-- task or grant that follows skips what is locked. $1 job, $2 run, $3 cut-off.
SELECT j.id FROM jobs j CROSS JOIN cluster c
WHERE j.id = $1 AND j.run = $2 AND j.deleted_at IS NULL
  AND j.status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN')
  AND greatest(coalesce(j.last_result_at, j.started_at, j.updated_at), coalesce(c.gap_to, 0),
               CASE WHEN j.status = 'CANCELING' THEN j.updated_at ELSE 0 END) <= $3
FOR NO KEY UPDATE OF j
