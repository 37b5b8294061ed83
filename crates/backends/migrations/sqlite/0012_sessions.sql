-- Sessions of the web interface. Only the hash of a secret is stored. A session speaks for a token, with which it goes, or for
-- the token that a process was given by --admin-token.
CREATE TABLE sessions (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    token_id   INTEGER REFERENCES tokens (id) ON DELETE CASCADE,
    admin_hash BLOB    CHECK (length(admin_hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CHECK ((token_id IS NULL) <> (admin_hash IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_token ON sessions (token_id);
CREATE INDEX sessions_end ON sessions (expires_at);
