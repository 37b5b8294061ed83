-- What a run's results may name: written once, when a dispatcher first claims the run, and never changed.
CREATE TABLE run_specs (
    job_id      INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    pipeline_id INTEGER,
    -- [[algorithm_id, category_map_id], …]
    algorithms  TEXT    NOT NULL,
    -- The algorithms' keys and versions; two runs with the same fingerprint do the same work.
    fingerprint TEXT    NOT NULL,
    PRIMARY KEY (job_id, run)
) STRICT, WITHOUT ROWID;
-- Of the runs before this table only the last algorithms are known.
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
WITH RECURSIVE runs (job_id, run) AS (
    SELECT id, run FROM jobs WHERE algorithms <> '[]' OR fingerprint <> '' OR total > 0
    UNION ALL SELECT job_id, run - 1 FROM runs WHERE run > 1
)
SELECT r.job_id, r.run, j.pipeline_id, j.algorithms, j.fingerprint FROM runs r JOIN jobs j ON j.id = r.job_id;
-- The run whose spec the saved result was judged by; it differs from `run` when a result of an older run came late.
ALTER TABLE tasks ADD COLUMN spec_run INTEGER;
