-- How many of these captures a job has processed by a pipeline of this fingerprint. $1 captures, $2 fingerprint. No EXISTS: that
-- may be made once for all tasks of the store (docs/adr/0008). By tasks_of_capture.
SELECT COUNT(done.yes) FROM unnest($1::bigint[]) AS e (capture_id)
CROSS JOIN LATERAL (SELECT (
    SELECT true FROM tasks t
    CROSS JOIN LATERAL (SELECT true FROM jobs j WHERE j.id = t.job_id AND j.deleted_at IS NULL OFFSET 0) j
    CROSS JOIN LATERAL (SELECT s.fingerprint FROM run_specs s
                        WHERE s.job_id = t.job_id AND s.run = coalesce(t.spec_run, t.run) OFFSET 0) s
    WHERE t.capture_id + 0 = e.capture_id AND $2 <> '' AND s.fingerprint = $2
      AND CASE WHEN t.state = 'processed' THEN true END
    LIMIT 1) AS yes) AS done
