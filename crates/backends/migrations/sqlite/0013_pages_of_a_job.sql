-- What the pages of a job read. Only failures are written to the first index, and only warnings and errors to the second.
CREATE INDEX tasks_failed ON tasks (job_id, capture_id) WHERE state = 'failed';
CREATE INDEX job_logs_bad ON job_logs (job_id, id) WHERE level IN ('WARNING', 'ERROR');

-- How many images a job settled in a minute, or in an hour: `step` is the length in minutes, `minute` its beginning in minutes
-- since 1970, in store time. It is a chart, not the truth: a node that is killed loses its last seconds.
CREATE TABLE job_minutes (
    job_id    INTEGER NOT NULL,
    step      INTEGER NOT NULL CHECK (step IN (1, 60)),
    minute    INTEGER NOT NULL,
    processed INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    PRIMARY KEY (job_id, step, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_minutes_old ON job_minutes (minute) WHERE step = 1;
