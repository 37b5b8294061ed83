-- The tables of the bare program: those of the store that results are written to, as migration 11 lays them, without the indexes that
-- other questions need.
CREATE TABLE jobs (
    id              INTEGER PRIMARY KEY,
    processed       INTEGER NOT NULL DEFAULT 0,
    detections      INTEGER NOT NULL DEFAULT 0,
    classifications INTEGER NOT NULL DEFAULT 0,
    last_result_at  INTEGER
) STRICT;
INSERT INTO jobs (id) VALUES (1);
CREATE TABLE grants (
    id          INTEGER PRIMARY KEY,
    job_id      INTEGER NOT NULL,
    worker_id   INTEGER NOT NULL,
    granted_at  INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    captures    TEXT    NOT NULL
) STRICT;
CREATE TABLE tasks (
    job_id            INTEGER NOT NULL,
    capture_id        INTEGER NOT NULL,
    ord               INTEGER NOT NULL,
    run               INTEGER NOT NULL,
    state             TEXT    NOT NULL DEFAULT 'pending',
    delivery          INTEGER NOT NULL DEFAULT 0,
    holder            INTEGER,
    grant_id          INTEGER,
    granted_at        INTEGER,
    lease_until       INTEGER,
    settled_at        INTEGER,
    n_detections      INTEGER NOT NULL DEFAULT 0,
    n_classifications INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, ord, capture_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE detections (
    job_id            INTEGER NOT NULL,
    ord               INTEGER NOT NULL,
    capture_id        INTEGER NOT NULL,
    n                 INTEGER NOT NULL,
    algorithm_id      INTEGER NOT NULL,
    x1                REAL,
    y1                REAL,
    x2                REAL,
    y2                REAL,
    at                INTEGER NOT NULL,
    inference_seconds REAL,
    crop_image_url    TEXT,
    score             REAL,
    PRIMARY KEY (job_id, ord, capture_id, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE classifications (
    job_id            INTEGER NOT NULL,
    ord               INTEGER NOT NULL,
    capture_id        INTEGER NOT NULL,
    n                 INTEGER NOT NULL,
    position          INTEGER NOT NULL,
    algorithm_id      INTEGER NOT NULL,
    label             TEXT    NOT NULL,
    terminal          INTEGER NOT NULL,
    score             REAL,
    scores            BLOB    NOT NULL,
    logits            BLOB    NOT NULL,
    at                INTEGER NOT NULL,
    inference_seconds REAL,
    labels            TEXT,
    PRIMARY KEY (job_id, ord, capture_id, n, position)
) STRICT, WITHOUT ROWID
