-- Whether a chosen job is still as it was: no result came since. $1 job, $2 run, $3 cut-off.
SELECT j.id FROM jobs j CROSS JOIN cluster c
WHERE j.id = $1 AND j.run = $2 AND j.deleted_at IS NULL
  AND j.status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN')
  AND max(coalesce(j.last_result_at, j.started_at, j.updated_at), ifnull(c.gap_to, 0),
          CASE WHEN j.status = 'CANCELING' THEN j.updated_at ELSE 0 END) <= $3
