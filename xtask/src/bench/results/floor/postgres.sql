-- The tables of the bare program, as those of sqlite.sql. Pages of tasks have room for both changes of their rows.
CREATE TABLE jobs (
    id              BIGINT PRIMARY KEY,
    processed       BIGINT NOT NULL DEFAULT 0,
    detections      BIGINT NOT NULL DEFAULT 0,
    classifications BIGINT NOT NULL DEFAULT 0,
    last_result_at  BIGINT
);
INSERT INTO jobs (id) VALUES (1);
CREATE TABLE grants (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      BIGINT NOT NULL,
    worker_id   BIGINT NOT NULL,
    granted_at  BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    captures    BIGINT[] NOT NULL
);
CREATE TABLE tasks (
    job_id            BIGINT NOT NULL,
    capture_id        BIGINT NOT NULL,
    ord               BIGINT NOT NULL,
    run               BIGINT NOT NULL,
    state             TEXT    NOT NULL DEFAULT 'pending',
    delivery          BIGINT NOT NULL DEFAULT 0,
    holder            BIGINT,
    grant_id          BIGINT,
    granted_at        BIGINT,
    lease_until       BIGINT,
    settled_at        BIGINT,
    n_detections      BIGINT NOT NULL DEFAULT 0,
    n_classifications BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, capture_id)
) WITH (fillfactor = 50);
CREATE TABLE detections (
    job_id            BIGINT NOT NULL,
    ord               BIGINT NOT NULL,
    capture_id        BIGINT NOT NULL,
    n                 BIGINT NOT NULL,
    algorithm_id      BIGINT NOT NULL,
    x1                DOUBLE PRECISION,
    y1                DOUBLE PRECISION,
    x2                DOUBLE PRECISION,
    y2                DOUBLE PRECISION,
    at                BIGINT NOT NULL,
    inference_seconds DOUBLE PRECISION,
    crop_image_url    TEXT,
    score             DOUBLE PRECISION,
    PRIMARY KEY (job_id, ord, capture_id, n)
);
CREATE TABLE classifications (
    job_id            BIGINT NOT NULL,
    ord               BIGINT NOT NULL,
    capture_id        BIGINT NOT NULL,
    n                 BIGINT NOT NULL,
    position          BIGINT NOT NULL,
    algorithm_id      BIGINT NOT NULL,
    label             TEXT    NOT NULL,
    terminal          BOOLEAN NOT NULL,
    score             DOUBLE PRECISION,
    scores            BYTEA    NOT NULL,
    logits            BYTEA    NOT NULL,
    at                BIGINT NOT NULL,
    inference_seconds DOUBLE PRECISION,
    labels            TEXT,
    PRIMARY KEY (job_id, ord, capture_id, n, position)
)
