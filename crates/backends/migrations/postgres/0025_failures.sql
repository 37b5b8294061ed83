-- The failed images of a run by why they failed, counted with its tasks in the same transaction. Rows stay when `n` is 0 again.
CREATE TABLE job_failures (
    job_id   BIGINT NOT NULL,
    run      BIGINT NOT NULL,
    -- Made from `reason` and `text`.
    id       BIGINT NOT NULL,
    reason   TEXT NOT NULL,
    -- What their details share; '' is also what is not told apart any more.
    text     TEXT NOT NULL,
    n        BIGINT NOT NULL,
    -- One of them, and when the first and the last failed.
    sample   BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    PRIMARY KEY (job_id, run, id)
);
-- Whether the failures of the run are counted so from its beginning.
ALTER TABLE run_specs ADD COLUMN groups_failures BOOLEAN NOT NULL DEFAULT false;
