-- What is written together lies together (docs/adr/0009-results-by-dispatch.md): results are keyed by their task's place in
-- the order of dispatch. Tasks stay as they are: PostgreSQL has no clustered tables.

CREATE TABLE detections_by_ord (
    job_id            BIGINT  NOT NULL,
    ord               BIGINT  NOT NULL,
    capture_id        BIGINT  NOT NULL,
    -- The number of the detection among those of its task, from 1.
    n                 BIGINT  NOT NULL,
    algorithm_id      BIGINT  NOT NULL,
    x1                DOUBLE PRECISION,
    y1                DOUBLE PRECISION,
    x2                DOUBLE PRECISION,
    y2                DOUBLE PRECISION,
    at                BIGINT  NOT NULL,
    inference_seconds DOUBLE PRECISION,
    crop_image_url    TEXT,
    -- How sure the detector is; NULL if it does not say.
    score             DOUBLE PRECISION
);
INSERT INTO detections_by_ord
SELECT d.job_id, t.ord, d.capture_id,
       row_number() OVER (PARTITION BY d.job_id, d.capture_id ORDER BY d.id),
       d.algorithm_id, d.x1, d.y1, d.x2, d.y2, d.at, d.inference_seconds, d.crop_image_url, d.score
FROM detections d JOIN tasks t ON t.job_id = d.job_id AND t.capture_id = d.capture_id;

CREATE TABLE classifications_by_ord (
    job_id            BIGINT  NOT NULL,
    ord               BIGINT  NOT NULL,
    capture_id        BIGINT  NOT NULL,
    -- The number of the detection among those of its task, from 1.
    n                 BIGINT  NOT NULL,
    position          BIGINT  NOT NULL,
    algorithm_id      BIGINT  NOT NULL,
    label             TEXT    NOT NULL,
    terminal          BOOLEAN NOT NULL,
    score             DOUBLE PRECISION,
    -- Packed 32-bit floats, little endian.
    scores            BYTEA   NOT NULL,
    logits            BYTEA   NOT NULL,
    at                BIGINT  NOT NULL,
    inference_seconds DOUBLE PRECISION,
    -- The labels that `scores` are of, as a JSON list; NULL if they are those of the algorithm's category map.
    labels            TEXT
);
INSERT INTO classifications_by_ord
SELECT d.job_id, d.ord, d.capture_id, d.n, k.position, k.algorithm_id, k.label, k.terminal, k.score, k.scores,
       k.logits, k.at, k.inference_seconds, k.labels
FROM (SELECT d.id, d.job_id, t.ord, d.capture_id,
             row_number() OVER (PARTITION BY d.job_id, d.capture_id ORDER BY d.id) AS n
      FROM detections d JOIN tasks t ON t.job_id = d.job_id AND t.capture_id = d.capture_id) d
JOIN classifications k ON k.detection_id = d.id;

DROP TABLE classifications, detections;
ALTER TABLE detections_by_ord RENAME TO detections;
ALTER TABLE detections ADD CONSTRAINT detections_key PRIMARY KEY (job_id, ord, capture_id, n);
ALTER TABLE classifications_by_ord RENAME TO classifications;
ALTER TABLE classifications ADD CONSTRAINT classifications_key PRIMARY KEY (job_id, ord, capture_id, n, position);
