-- Jobs are listed the newest first; whoever asks for a page reads no more of them than it passes over.
CREATE INDEX jobs_created ON jobs (created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX jobs_created_of ON jobs (project_id, created_at, id) WHERE deleted_at IS NULL;
