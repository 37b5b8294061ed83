-- Each index but a table's key is on an expression, so that a statement says by which index it goes (docs/adr/0008). The
-- planner otherwise takes whichever looks smaller by statistics that are of yesterday's jobs, and reads all tasks of a job
-- to find one. Nothing but the choice changes: the expressions have the values of their columns, which no hand-out writes.
CREATE INDEX tasks_free ON tasks ((job_id + 0), ord, capture_id) WHERE state = 'pending';
CREATE INDEX tasks_suspects ON tasks ((job_id - 0), ord) WHERE state = 'pending' AND suspect;
CREATE INDEX tasks_strikes ON tasks ((job_id * 1), strikes, capture_id) WHERE state = 'pending' AND strikes > 0;
CREATE INDEX tasks_of_capture ON tasks ((capture_id + 0));
DROP INDEX tasks_pending, tasks_suspect, tasks_struck, tasks_capture;

CREATE INDEX detections_of_job ON detections ((job_id + 0), id);
DROP INDEX detections_job;

-- Whether every task of it was answered, ended or given back. It never holds one again, so whoever counts leases passes
-- over it; the sweep finds that out, and no settlement writes it.
ALTER TABLE grants ADD COLUMN empty BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX grants_of_job ON grants ((job_id + 0));
CREATE INDEX grants_held ON grants ((job_id - 0), id) WHERE NOT empty;
CREATE INDEX grants_suspects ON grants ((worker_id + 0)) WHERE suspect;
CREATE INDEX grants_by_due ON grants (due_at, id);
CREATE INDEX grants_by_age ON grants (granted_at);
DROP INDEX grants_job, grants_suspect, grants_due;
