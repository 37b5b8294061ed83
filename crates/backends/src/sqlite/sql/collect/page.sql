-- Which captures of a page are no ordinary tasks: those without a URL, and those that this pipeline has processed (done). In the order
-- of their ids. $1 captures (JSON), $2 job, $3 fingerprint.
SELECT id, done FROM (
    SELECT c.id, c.url = '' AS no_url,
           EXISTS (SELECT 1 FROM tasks t JOIN jobs j ON j.id = t.job_id
                   -- The spec by which the saved result was judged, which may be of another run than the job's last.
                   JOIN run_specs s ON s.job_id = t.job_id AND s.run = coalesce(t.spec_run, t.run)
                   WHERE t.capture_id = c.id AND t.state = 'processed' AND t.job_id <> $2
                     AND $3 <> '' AND s.fingerprint = $3 AND j.deleted_at IS NULL)
           -- A set that is completed by a later run meets tasks of its own: they are tasks, not skipped.
           AND NOT EXISTS (SELECT 1 FROM tasks own WHERE own.job_id = $2 AND own.capture_id = c.id) AS done
    FROM json_each($1) e CROSS JOIN captures c ON c.id = e.value
) WHERE no_url OR done ORDER BY id
