-- Which workers registered a service: a sign of life of any of them is one of the service. One worker may register several
-- (one per project, or several machines behind one address), so `workers.service_id` is not used any more.
CREATE TABLE worker_services (
    worker_id  INTEGER NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
    service_id INTEGER NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    PRIMARY KEY (worker_id, service_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX worker_services_service ON worker_services (service_id, worker_id);

-- By strikes too: the sweep looks each second whether an active job has a free task whose budget is used up.
DROP INDEX tasks_struck;
CREATE INDEX tasks_struck ON tasks (job_id, strikes, capture_id) WHERE state = 'pending' AND strikes > 0;

-- The cluster's timeline: the store's clock plus an offset, which absorbs every step of that clock. The anchor is the last
-- heartbeat: the time on the timeline, and between which uptimes of the node's machine it was.
ALTER TABLE cluster ADD COLUMN clock_offset INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cluster ADD COLUMN anchor_at INTEGER;
ALTER TABLE cluster ADD COLUMN anchor_boot TEXT;
ALTER TABLE cluster ADD COLUMN anchor_before INTEGER;
ALTER TABLE cluster ADD COLUMN anchor_after INTEGER;
-- The last step: when it was noticed, and how far the clock was set forward (back, if negative).
ALTER TABLE cluster ADD COLUMN step_at INTEGER;
ALTER TABLE cluster ADD COLUMN step_by INTEGER;
