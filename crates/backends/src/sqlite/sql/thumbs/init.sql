-- The thumbnails, in a file of their own: losing it loses nothing.
CREATE TABLE IF NOT EXISTS thumbnails (
    capture_id INTEGER NOT NULL PRIMARY KEY,
    job_id     INTEGER NOT NULL,
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL,
    jpeg       BLOB    NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS thumbnails_job ON thumbnails (job_id);
