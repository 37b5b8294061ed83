-- Jobs are listed the newest first; whoever asks for a page reads no more of them than it passes over.
CREATE INDEX jobs_created ON jobs (created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX jobs_created_of ON jobs (project_id, created_at, id) WHERE deleted_at IS NULL;
-- What a worker does now is its newest grant that holds a task. Without this, those of all workers were read.
CREATE INDEX grants_held_by ON grants (worker_id, id) WHERE empty = 0;
