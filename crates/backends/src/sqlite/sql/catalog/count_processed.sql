-- How many of these captures a job has processed by a pipeline of this fingerprint. $1 captures (JSON), $2 fingerprint.
SELECT COUNT(*) FROM json_each($1) AS e
WHERE $2 <> '' AND EXISTS (SELECT 1 FROM tasks AS t
    CROSS JOIN jobs AS j ON j.id = t.job_id AND j.deleted_at IS NULL
    CROSS JOIN run_specs AS s ON s.job_id = t.job_id AND s.run = coalesce(t.spec_run, t.run)
    WHERE t.capture_id = e.value AND t.state = 'processed' AND s.fingerprint = $2)
