-- What a job found, added up: a projection of its rows, made in the background, which may be dropped and made again.
CREATE TABLE summaries (
    job_id      BIGINT NOT NULL PRIMARY KEY,
    -- The run whose results it is of.
    run         BIGINT NOT NULL,
    -- Grows with each slice, so that no two nodes write the same one.
    version     BIGINT NOT NULL,
    phase       TEXT    NOT NULL CHECK (phase IN ('clear', 'photographs', 'detections', 'done')),
    -- The last row that is counted: a task in `photographs`, a detection in `detections`.
    at_ord      BIGINT NOT NULL,
    at_capture  BIGINT NOT NULL,
    at_n        BIGINT NOT NULL,
    -- Detections that are counted.
    seen        BIGINT NOT NULL,
    -- Those of the job when it was begun after the end of the run; NULL if it was begun before.
    against     BIGINT,
    -- Images with 1, 2 to 5, 6 to 20 and more detections.
    images_1    BIGINT NOT NULL,
    images_2    BIGINT NOT NULL,
    images_6    BIGINT NOT NULL,
    images_21   BIGINT NOT NULL,
    -- The time of the last slice.
    as_of       BIGINT NOT NULL
);
CREATE INDEX summaries_open ON summaries ((job_id + 0)) WHERE phase <> 'done';

-- Labels of detections, of all jobs, by the beginning of their SHA-256; the empty one is that of a detection without a class.
CREATE TABLE labels (
    id   BIGINT NOT NULL PRIMARY KEY CHECK (id > 0),
    text TEXT   NOT NULL
);

-- How many detections have a label. `bin` is (1 - score) x 20, the best first; 20 without a score, -1 their sum. Label 0 is all.
CREATE TABLE label_counts (
    job_id   BIGINT NOT NULL,
    label_id BIGINT NOT NULL,
    bin      BIGINT NOT NULL,
    n        BIGINT NOT NULL,
    PRIMARY KEY (job_id, label_id, bin)
);
CREATE INDEX label_counts_top ON label_counts ((job_id + 0), n) WHERE bin = -1;

-- The detections of a label, the best first: `rank` is (1 - score) in millionths, 2,000,000 without a score.
CREATE TABLE label_index (
    job_id     BIGINT NOT NULL,
    label_id   BIGINT NOT NULL,
    rank       BIGINT NOT NULL,
    capture_id BIGINT NOT NULL,
    n          BIGINT NOT NULL,
    PRIMARY KEY (job_id, label_id, rank, capture_id, n)
);

-- Detections by the half-hour in which their photograph was taken, counted from 1970 by the camera's clock. Label 0 is all; label -1
-- counts the photographs.
CREATE TABLE activity (
    job_id    BIGINT NOT NULL,
    label_id  BIGINT NOT NULL,
    half_hour BIGINT NOT NULL,
    n         BIGINT NOT NULL,
    PRIMARY KEY (job_id, label_id, half_hour)
);

-- The photographs of a job by that half-hour.
CREATE TABLE taken_index (
    job_id     BIGINT NOT NULL,
    half_hour  BIGINT NOT NULL,
    capture_id BIGINT NOT NULL,
    PRIMARY KEY (job_id, half_hour, capture_id)
);
