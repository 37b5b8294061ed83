-- Writes the outcome of a task and ends its lease. The plan decided by a row that this transaction has read.
-- ?1 job, ?2 place, ?3 capture, ?4 state, ?5 reason, ?6 detail, ?7 detections, ?8 classifications, ?9 spec run, ?10 now.
UPDATE tasks SET
    state = ?4, reason = ?5, detail = ?6, n_detections = ?7, n_classifications = ?8, spec_run = ifnull(?9, spec_run),
    settled_at = ?10, grant_id = NULL, lease_until = NULL
WHERE job_id = ?1 AND ord = ?2 AND capture_id = ?3
