-- The thumbnails, in a table that a crash of the server empties: losing it loses nothing.
-- Two nodes that make it at the same time would collide in the catalog.
SELECT pg_advisory_xact_lock(hashtext('thumbnails'));
CREATE UNLOGGED TABLE IF NOT EXISTS thumbnails (
    capture_id BIGINT NOT NULL PRIMARY KEY,
    job_id     BIGINT NOT NULL,
    width      BIGINT NOT NULL,
    height     BIGINT NOT NULL,
    jpeg       BYTEA  NOT NULL
);
CREATE INDEX IF NOT EXISTS thumbnails_job ON thumbnails (job_id);
