-- What is written together lies together (docs/adr/0009-results-by-dispatch.md): tasks are handed out by `ord`, so they and
-- their results are clustered by it. A task is found by its capture through a narrow index that no settlement writes.

CREATE TABLE detections_by_ord (
    job_id            INTEGER NOT NULL,
    ord               INTEGER NOT NULL,
    capture_id        INTEGER NOT NULL,
    -- The number of the detection among those of its task, from 1.
    n                 INTEGER NOT NULL,
    algorithm_id      INTEGER NOT NULL,
    x1                REAL,
    y1                REAL,
    x2                REAL,
    y2                REAL,
    at                INTEGER NOT NULL,
    inference_seconds REAL,
    crop_image_url    TEXT,
    -- How sure the detector is; NULL if it does not say.
    score             REAL,
    PRIMARY KEY (job_id, ord, capture_id, n)
) STRICT, WITHOUT ROWID;
INSERT INTO detections_by_ord
SELECT d.job_id, t.ord, d.capture_id,
       row_number() OVER (PARTITION BY d.job_id, d.capture_id ORDER BY d.id),
       d.algorithm_id, d.x1, d.y1, d.x2, d.y2, d.at, d.inference_seconds, d.crop_image_url, d.score
FROM detections d JOIN tasks t ON t.job_id = d.job_id AND t.capture_id = d.capture_id;

CREATE TABLE classifications_by_ord (
    job_id            INTEGER NOT NULL,
    ord               INTEGER NOT NULL,
    capture_id        INTEGER NOT NULL,
    -- The number of the detection among those of its task, from 1.
    n                 INTEGER NOT NULL,
    position          INTEGER NOT NULL,
    algorithm_id      INTEGER NOT NULL,
    label             TEXT    NOT NULL,
    terminal          INTEGER NOT NULL,
    score             REAL,
    -- Packed 32-bit floats, little endian.
    scores            BLOB    NOT NULL,
    logits            BLOB    NOT NULL,
    at                INTEGER NOT NULL,
    inference_seconds REAL,
    -- The labels that `scores` are of, as a JSON list; NULL if they are those of the algorithm's category map.
    labels            TEXT,
    PRIMARY KEY (job_id, ord, capture_id, n, position)
) STRICT, WITHOUT ROWID;
INSERT INTO classifications_by_ord
SELECT d.job_id, d.ord, d.capture_id, d.n, k.position, k.algorithm_id, k.label, k.terminal, k.score, k.scores,
       k.logits, k.at, k.inference_seconds, k.labels
FROM (SELECT d.id, d.job_id, t.ord, d.capture_id,
             row_number() OVER (PARTITION BY d.job_id, d.capture_id ORDER BY d.id) AS n
      FROM detections d JOIN tasks t ON t.job_id = d.job_id AND t.capture_id = d.capture_id) d
JOIN classifications k ON k.detection_id = d.id;

DROP TABLE classifications;
DROP TABLE detections;
ALTER TABLE detections_by_ord RENAME TO detections;
ALTER TABLE classifications_by_ord RENAME TO classifications;

CREATE TABLE tasks_by_ord (
    job_id            INTEGER NOT NULL,
    capture_id        INTEGER NOT NULL,
    -- The place in the order of dispatch.
    ord               INTEGER NOT NULL,
    run               INTEGER NOT NULL,
    state             TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'processed', 'failed')),
    delivery          INTEGER NOT NULL DEFAULT 0,
    -- `delivery` when this run began, so that the budget is that of the run.
    delivery_base     INTEGER NOT NULL DEFAULT 0,
    strikes           INTEGER NOT NULL DEFAULT 0,
    releases          INTEGER NOT NULL DEFAULT 0,
    -- How often it went back uncharged because a dead worker held it ahead.
    returns           INTEGER NOT NULL DEFAULT 0,
    -- Handed out alone. The grant that died with it, and which hand-out that was: an answer to it clears the others.
    suspect           INTEGER NOT NULL DEFAULT 0,
    died_grant        INTEGER,
    died_delivery     INTEGER,
    -- The lease: held while grant_id is set. Only the sweep, a release and a settlement end it.
    holder            INTEGER,
    grant_id          INTEGER,
    granted_at        INTEGER,
    lease_until       INTEGER,
    -- To whom it went without an answer, for the reason of a lost task.
    history           TEXT    NOT NULL DEFAULT '',
    reason            TEXT    CHECK (reason IN ('worker_error', 'lost', 'invalid_result', 'no_url')),
    detail            TEXT,
    settled_at        INTEGER,
    n_detections      INTEGER NOT NULL DEFAULT 0,
    n_classifications INTEGER NOT NULL DEFAULT 0,
    spec_run          INTEGER,
    PRIMARY KEY (job_id, ord, capture_id),
    CHECK ((state = 'failed') = (reason IS NOT NULL)),
    CHECK (state = 'pending' OR grant_id IS NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO tasks_by_ord
SELECT job_id, capture_id, ord, run, state, delivery, delivery_base, strikes, releases, returns, suspect,
       died_grant, died_delivery, holder, grant_id, granted_at, lease_until, history, reason, detail,
       settled_at, n_detections, n_classifications, spec_run
FROM tasks;
DROP TABLE tasks;
ALTER TABLE tasks_by_ord RENAME TO tasks;
CREATE UNIQUE INDEX tasks_image ON tasks (job_id, capture_id);
CREATE INDEX tasks_capture ON tasks (capture_id, job_id);
CREATE INDEX tasks_pending ON tasks (job_id, ord) WHERE state = 'pending';
CREATE INDEX tasks_suspect ON tasks (job_id, ord) WHERE state = 'pending' AND suspect = 1;
-- Strikes are rare and change only when a lease ends: a hand-out writes nothing here.
CREATE INDEX tasks_struck ON tasks (job_id, capture_id) WHERE state = 'pending' AND strikes > 0;
