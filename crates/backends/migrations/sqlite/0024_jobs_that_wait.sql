-- Workers ask for the jobs that have something for them, in the order in which they are served; the question ends at its limit,
-- however many jobs run.
CREATE INDEX jobs_served ON jobs (priority DESC, id) WHERE status IN ('STARTED', 'RETRY') AND deleted_at IS NULL;
