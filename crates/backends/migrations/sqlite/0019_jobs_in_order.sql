-- The web interface lists jobs by name, and by when they ended.
CREATE INDEX jobs_name ON jobs (lower(name), id) WHERE deleted_at IS NULL;
CREATE INDEX jobs_name_of ON jobs (project_id, lower(name), id) WHERE deleted_at IS NULL;
CREATE INDEX jobs_ended ON jobs (finished_at, id) WHERE finished_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX jobs_ended_of ON jobs (project_id, finished_at, id) WHERE finished_at IS NOT NULL AND deleted_at IS NULL;
