-- Writes the outcomes of tasks and ends their leases. The plan decided by rows that this transaction has locked.
-- $1 jobs, $2 captures, $3 states, $4 reasons, $5 details, $6 detections, $7 classifications, $8 now, $9 runs whose specs
-- judged the results.
UPDATE tasks t SET
    state = e.state, reason = e.reason, detail = e.detail, settled_at = $8,
    n_detections = e.n_detections, n_classifications = e.n_classifications,
    spec_run = coalesce(e.spec_run, t.spec_run), grant_id = NULL, lease_until = NULL
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
            $9::bigint[])
     AS e (job_id, capture_id, state, reason, detail, n_detections, n_classifications, spec_run)
WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
