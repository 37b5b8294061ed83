-- What the request that made a job was called by whoever sent it, so that it can be repeated; and what it asked for.
ALTER TABLE jobs ADD COLUMN create_key TEXT;
ALTER TABLE jobs ADD COLUMN create_asked TEXT;
CREATE UNIQUE INDEX jobs_create_key ON jobs (project_id, create_key) WHERE create_key IS NOT NULL;
