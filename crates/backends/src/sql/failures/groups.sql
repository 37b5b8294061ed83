-- The groups of a job's run, beside its counter, in one snapshot. $1 job.
SELECT j.failed, coalesce(s.groups_failures, false) AS is_counted, f.id, f.reason, f.text, f.n, f.sample, f.first_at, f.last_at
FROM jobs j
LEFT JOIN run_specs s ON s.job_id = j.id AND s.run = j.run
LEFT JOIN job_failures f ON f.job_id = j.id AND f.run = j.run
WHERE j.id = $1 AND j.deleted_at IS NULL
