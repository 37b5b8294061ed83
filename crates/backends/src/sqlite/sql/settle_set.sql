-- Writes the outcomes of tasks and ends their leases. The plan decided by rows that this transaction has read.
-- $1 [[job, capture, state, reason, detail, n_detections, n_classifications, spec_run], …], $2 now.
UPDATE tasks SET
    state = e.value->>2, reason = e.value->>3, detail = e.value->>4, settled_at = $2,
    n_detections = e.value->>5, n_classifications = e.value->>6,
    spec_run = ifnull(e.value->>7, spec_run), grant_id = NULL, lease_until = NULL
FROM json_each($1) e
WHERE tasks.job_id = e.value->>0 AND tasks.capture_id = e.value->>1
