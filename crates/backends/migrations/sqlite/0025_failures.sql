-- The failed images of a run by why they failed, counted with its tasks in the same transaction. Rows stay when `n` is 0 again.
CREATE TABLE job_failures (
    job_id   INTEGER NOT NULL,
    run      INTEGER NOT NULL,
    -- Made from `reason` and `text`.
    id       INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    -- What their details share; '' is also what is not told apart any more.
    text     TEXT NOT NULL,
    n        INTEGER NOT NULL,
    -- One of them, and when the first and the last failed.
    sample   INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (job_id, run, id)
) STRICT, WITHOUT ROWID;
-- Whether the failures of the run are counted so from its beginning.
ALTER TABLE run_specs ADD COLUMN groups_failures INTEGER NOT NULL DEFAULT 0;
