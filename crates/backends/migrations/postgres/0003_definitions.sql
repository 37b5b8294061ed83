-- What a run's results may name: written once, when a dispatcher first claims the run, and never changed.
CREATE TABLE run_specs (
    job_id      BIGINT NOT NULL,
    run         BIGINT NOT NULL,
    pipeline_id BIGINT,
    -- [[algorithm_id, category_map_id], …]
    algorithms  TEXT   NOT NULL,
    -- The algorithms' keys and versions; two runs with the same fingerprint do the same work.
    fingerprint TEXT   NOT NULL,
    PRIMARY KEY (job_id, run)
);
-- Of the runs before this table only the last algorithms are known.
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
SELECT j.id, r.run, j.pipeline_id, j.algorithms, j.fingerprint
FROM jobs j CROSS JOIN LATERAL generate_series(1, j.run) AS r (run)
WHERE j.algorithms <> '[]' OR j.fingerprint <> '' OR j.total > 0;
-- The run whose spec the saved result was judged by; it differs from `run` when a result of an older run came late.
ALTER TABLE tasks ADD COLUMN spec_run BIGINT;
