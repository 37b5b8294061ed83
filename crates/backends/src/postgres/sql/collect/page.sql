-- Which captures of a page are no ordinary tasks: those without a URL, and those that this pipeline has processed (done). In the order
-- of their ids. $1 captures, $2 job, $3 fingerprint.
SELECT id, done FROM (
    SELECT c.id, c.url = '' AS no_url,
           -- No EXISTS: that may be made once for all tasks of the store (docs/adr/0008). By tasks_of_capture.
           coalesce((SELECT true FROM tasks t
                     CROSS JOIN LATERAL (SELECT true FROM jobs j WHERE j.id = t.job_id AND j.deleted_at IS NULL OFFSET 0) j
                     -- The spec by which the saved result was judged, which may be of another run than the job's last.
                     CROSS JOIN LATERAL (SELECT s.fingerprint FROM run_specs s
                                         WHERE s.job_id = t.job_id AND s.run = coalesce(t.spec_run, t.run) OFFSET 0) s
                     WHERE t.capture_id + 0 = c.id AND $3 <> '' AND s.fingerprint = $3
                       AND CASE WHEN t.state = 'processed' AND t.job_id <> $2 THEN true END
                     LIMIT 1), false)
           -- A set that is completed by a later run meets tasks of its own: they are tasks, not skipped.
           AND (SELECT true FROM tasks own WHERE own.job_id = $2 AND own.capture_id = c.id) IS NULL AS done
    FROM captures c WHERE c.id = ANY ($1) OFFSET 0
) page WHERE no_url OR done ORDER BY id
