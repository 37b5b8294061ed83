-- Which workers registered a service: a sign of life of any of them is one of the service. One worker may register several
-- (one per project, or several machines behind one address), so `workers.service_id` is not used any more.
CREATE TABLE worker_services (
    worker_id  bigint NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
    service_id bigint NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    PRIMARY KEY (worker_id, service_id)
);
CREATE INDEX worker_services_service ON worker_services (service_id, worker_id);

-- The cluster's timeline: the store's clock plus an offset, which absorbs every step of that clock. The anchor is the last
-- heartbeat: the time on the timeline, and between which uptimes of the node's machine it was.
ALTER TABLE cluster ADD COLUMN clock_offset bigint NOT NULL DEFAULT 0;
ALTER TABLE cluster ADD COLUMN anchor_at bigint;
ALTER TABLE cluster ADD COLUMN anchor_boot text;
ALTER TABLE cluster ADD COLUMN anchor_before bigint;
ALTER TABLE cluster ADD COLUMN anchor_after bigint;
-- The last step: when it was noticed, and how far the clock was set forward (back, if negative).
ALTER TABLE cluster ADD COLUMN step_at bigint;
ALTER TABLE cluster ADD COLUMN step_by bigint;
