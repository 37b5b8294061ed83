-- Nothing is handed out to a worker that drains; what it holds it may finish.
ALTER TABLE workers ADD COLUMN draining BOOLEAN NOT NULL DEFAULT false;

-- What a worker did in a minute, and in an hour: `step` is the length in minutes, `minute` its beginning in minutes since 1970, in
-- store time. Both are written at once. Minutes are kept for two hours and hours for a day: they are a chart, not the truth.
CREATE TABLE worker_minutes (
    worker_id BIGINT NOT NULL,
    step      BIGINT NOT NULL CHECK (step IN (1, 60)),
    minute    BIGINT NOT NULL,
    processed BIGINT NOT NULL,
    failed    BIGINT NOT NULL,
    lost      BIGINT NOT NULL,
    PRIMARY KEY (worker_id, step, minute)
);
CREATE INDEX worker_minutes_old ON worker_minutes (step, minute);
