-- What a job found, added up: a projection of its rows, made in the background, which may be dropped and made again.
CREATE TABLE summaries (
    job_id      INTEGER NOT NULL PRIMARY KEY,
    -- The run whose results it is of.
    run         INTEGER NOT NULL,
    -- Grows with each slice, so that no two nodes write the same one.
    version     INTEGER NOT NULL,
    phase       TEXT    NOT NULL CHECK (phase IN ('clear', 'photographs', 'detections', 'done')),
    -- The last row that is counted: a task in `photographs`, a detection in `detections`.
    at_ord      INTEGER NOT NULL,
    at_capture  INTEGER NOT NULL,
    at_n        INTEGER NOT NULL,
    -- Detections that are counted.
    seen        INTEGER NOT NULL,
    -- Those of the job when it was begun after the end of the run; NULL if it was begun before.
    against     INTEGER,
    -- Images with 1, 2 to 5, 6 to 20 and more detections.
    images_1    INTEGER NOT NULL,
    images_2    INTEGER NOT NULL,
    images_6    INTEGER NOT NULL,
    images_21   INTEGER NOT NULL,
    -- The time of the last slice.
    as_of       INTEGER NOT NULL
) STRICT;
CREATE INDEX summaries_open ON summaries (job_id) WHERE phase <> 'done';

-- Labels of detections, of all jobs, by the beginning of their SHA-256; the empty one is that of a detection without a class.
CREATE TABLE labels (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id > 0),
    text TEXT   NOT NULL
) STRICT;

-- How many detections have a label. `bin` is (1 - score) x 20, the best first; 20 without a score, -1 their sum. Label 0 is all.
CREATE TABLE label_counts (
    job_id   INTEGER NOT NULL,
    label_id INTEGER NOT NULL,
    bin      INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    PRIMARY KEY (job_id, label_id, bin)
) STRICT, WITHOUT ROWID;
CREATE INDEX label_counts_top ON label_counts (job_id, n) WHERE bin = -1;

-- The detections of a label, the best first: `rank` is (1 - score) in millionths, 2,000,000 without a score.
CREATE TABLE label_index (
    job_id     INTEGER NOT NULL,
    label_id   INTEGER NOT NULL,
    rank       INTEGER NOT NULL,
    capture_id INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    PRIMARY KEY (job_id, label_id, rank, capture_id, n)
) STRICT, WITHOUT ROWID;

-- Detections by the half-hour in which their photograph was taken, counted from 1970 by the camera's clock. Label 0 is all; label -1
-- counts the photographs.
CREATE TABLE activity (
    job_id    INTEGER NOT NULL,
    label_id  INTEGER NOT NULL,
    half_hour INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (job_id, label_id, half_hour)
) STRICT, WITHOUT ROWID;

-- The photographs of a job by that half-hour.
CREATE TABLE taken_index (
    job_id     INTEGER NOT NULL,
    half_hour  INTEGER NOT NULL,
    capture_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, half_hour, capture_id)
) STRICT, WITHOUT ROWID;
