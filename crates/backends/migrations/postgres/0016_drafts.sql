-- Sets that somebody has begun a job with on the web interface, and not started it yet.
CREATE TABLE drafts (
    collection_id BIGINT NOT NULL PRIMARY KEY REFERENCES collections (id) ON DELETE CASCADE,
    name          TEXT   NOT NULL,
    -- What became of the lines of its list, as the web interface writes that.
    report        TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE INDEX drafts_created ON drafts (created_at);
-- The web interface lists the sets that have a name.
CREATE INDEX collections_named ON collections (id) WHERE name <> '';
CREATE INDEX collections_named_of ON collections (project_id, id) WHERE name <> '';
