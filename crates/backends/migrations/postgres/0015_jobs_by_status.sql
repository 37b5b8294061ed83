-- The web interface says how many jobs are in each state, and counts no further than it says.
CREATE INDEX jobs_status ON jobs (status, project_id) WHERE deleted_at IS NULL;
