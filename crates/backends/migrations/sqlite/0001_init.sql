-- Times are microseconds since 1970, UTC. Booleans are 0 and 1. JSON is text.

CREATE TABLE cluster (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    receipt_key BLOB    NOT NULL CHECK (length(receipt_key) = 32),
    -- Touched every second by any node; an old value is a time in which nobody served the store.
    alive_at    INTEGER,
    clean       INTEGER NOT NULL DEFAULT 1,
    gap_from    INTEGER,
    gap_to      INTEGER,
    grace_until INTEGER,
    -- The tick's lease: who runs the health check, until when, and when the last one began.
    tick_node       TEXT,
    tick_until      INTEGER,
    tick_started_at INTEGER
) STRICT;
INSERT INTO cluster (id, receipt_key) VALUES (1, randomblob(32));

CREATE TABLE projects (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL DEFAULT '',
    settings    TEXT    NOT NULL DEFAULT '{}',
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('viewer', 'worker', 'operator', 'admin')),
    project_id INTEGER REFERENCES projects (id),
    prefix     TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;

CREATE TABLE category_maps (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- SHA-256 of the map, so that a map registered again is the same row and running jobs keep theirs.
    hash        BLOB NOT NULL UNIQUE,
    map         TEXT NOT NULL
) STRICT;

CREATE TABLE algorithms (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    key             TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    name            TEXT    NOT NULL,
    task_type       TEXT,
    description     TEXT,
    version_name    TEXT,
    uri             TEXT,
    category_map_id INTEGER REFERENCES category_maps (id),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (key, version)
) STRICT;

CREATE TABLE pipelines (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    slug         TEXT    NOT NULL UNIQUE,
    name         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    description  TEXT    NOT NULL DEFAULT '',
    version_name TEXT    NOT NULL DEFAULT '',
    stages       TEXT    NOT NULL DEFAULT '[]',
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE pipeline_algorithms (
    pipeline_id  INTEGER NOT NULL REFERENCES pipelines (id),
    position     INTEGER NOT NULL,
    algorithm_id INTEGER NOT NULL REFERENCES algorithms (id),
    PRIMARY KEY (pipeline_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE project_pipelines (
    project_id  INTEGER NOT NULL REFERENCES projects (id),
    pipeline_id INTEGER NOT NULL REFERENCES pipelines (id),
    PRIMARY KEY (project_id, pipeline_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE services (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT    NOT NULL UNIQUE,
    description  TEXT    NOT NULL DEFAULT '',
    endpoint_url TEXT,
    last_seen    INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE service_pipelines (
    service_id  INTEGER NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    pipeline_id INTEGER NOT NULL REFERENCES pipelines (id),
    PRIMARY KEY (service_id, pipeline_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_projects (
    service_id INTEGER NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    PRIMARY KEY (service_id, project_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    token_id       INTEGER NOT NULL,
    instance       TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    client_info    TEXT,
    service_id     INTEGER REFERENCES services (id) ON DELETE SET NULL,
    -- The pipelines that it last asked for, a JSON list of slugs.
    pipelines      TEXT    NOT NULL DEFAULT '[]',
    first_seen     INTEGER NOT NULL,
    last_seen      INTEGER NOT NULL,
    -- Signs of life: what it reserved at extend_from or later lives until extended_until.
    extend_from    INTEGER,
    extended_until INTEGER,
    -- Until when the lease ran of the last grant that was charged as its death: what it was handed before that
    -- belongs to the same death.
    charged_until  INTEGER,
    UNIQUE (token_id, instance)
) STRICT;

CREATE TABLE captures (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    url        TEXT    NOT NULL,
    taken_at   INTEGER,
    width      INTEGER,
    height     INTEGER
) STRICT;
-- An empty URL names nothing, so two of them are two captures.
CREATE UNIQUE INDEX captures_url ON captures (project_id, url) WHERE url <> '';

CREATE TABLE collections (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    name       TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE collection_captures (
    collection_id INTEGER NOT NULL REFERENCES collections (id),
    capture_id    INTEGER NOT NULL REFERENCES captures (id),
    PRIMARY KEY (collection_id, capture_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id        INTEGER NOT NULL REFERENCES projects (id),
    name              TEXT    NOT NULL,
    job_type          TEXT    NOT NULL DEFAULT 'ml',
    status            TEXT    NOT NULL CHECK (status IN ('CREATED', 'PENDING', 'STARTED', 'SUCCESS', 'FAILURE',
                              'RETRY', 'CANCELING', 'REVOKED', 'RECEIVED', 'UNKNOWN')),
    run               INTEGER NOT NULL DEFAULT 1,
    mode              TEXT    NOT NULL DEFAULT 'all' CHECK (mode IN ('all', 'failed')),
    priority          INTEGER NOT NULL DEFAULT 0,
    failure_threshold REAL    NOT NULL CHECK (failure_threshold BETWEEN 0 AND 1),
    delay_seconds     INTEGER NOT NULL DEFAULT 0,
    not_before        INTEGER,
    pipeline_id       INTEGER REFERENCES pipelines (id),
    -- [[algorithm_id, category_map_id], …] as of the start of the run: a pipeline registered anew does not
    -- change a running job.
    algorithms        TEXT    NOT NULL DEFAULT '[]',
    -- The algorithms' keys and versions; two runs with the same fingerprint do the same work.
    fingerprint       TEXT    NOT NULL DEFAULT '',
    collection_id     INTEGER REFERENCES collections (id),
    capture_id        INTEGER REFERENCES captures (id),
    image_limit       INTEGER,
    shuffle           INTEGER NOT NULL DEFAULT 1,
    reprocess         INTEGER NOT NULL DEFAULT 0,

    -- The dispatcher's claim and where its collect stands. `phase` 0 adds tasks, 1 resets those of older runs.
    dispatch_epoch    INTEGER NOT NULL DEFAULT 0,
    dispatch_until    INTEGER,
    phase             INTEGER NOT NULL DEFAULT 0,
    watermark         INTEGER NOT NULL DEFAULT 0,
    seed              INTEGER NOT NULL DEFAULT 0,
    max_capture_id    INTEGER,
    cut_ord           INTEGER,
    cut_capture_id    INTEGER,
    set_complete      INTEGER NOT NULL DEFAULT 0,
    collected         INTEGER NOT NULL DEFAULT 0,

    candidates        INTEGER NOT NULL DEFAULT 0,
    skipped           INTEGER NOT NULL DEFAULT 0,
    total             INTEGER NOT NULL DEFAULT 0,
    processed         INTEGER NOT NULL DEFAULT 0,
    failed            INTEGER NOT NULL DEFAULT 0,
    detections        INTEGER NOT NULL DEFAULT 0,
    classifications   INTEGER NOT NULL DEFAULT 0,

    errors            TEXT    NOT NULL DEFAULT '[]',
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    started_at        INTEGER,
    finished_at       INTEGER,
    last_result_at    INTEGER,
    cleanup_due       INTEGER NOT NULL DEFAULT 0,
    deleted_at        INTEGER
) STRICT;
CREATE INDEX jobs_project ON jobs (project_id, id);
CREATE INDEX jobs_running ON jobs (status, priority) WHERE status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN');
CREATE INDEX jobs_cleanup ON jobs (id) WHERE cleanup_due = 1;
CREATE INDEX jobs_deleted ON jobs (id) WHERE deleted_at IS NOT NULL;

CREATE TABLE tasks (
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
    PRIMARY KEY (job_id, capture_id),
    CHECK ((state = 'failed') = (reason IS NOT NULL)),
    CHECK (state = 'pending' OR grant_id IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_pending ON tasks (job_id, ord) WHERE state = 'pending';
CREATE INDEX tasks_suspect ON tasks (job_id, ord) WHERE state = 'pending' AND suspect = 1;
-- Strikes are rare and change only when a lease ends: a hand-out writes nothing here.
CREATE INDEX tasks_struck ON tasks (job_id, capture_id) WHERE state = 'pending' AND strikes > 0;
CREATE INDEX tasks_capture ON tasks (capture_id, job_id);

-- One row per answer of `reserve`, while any task of it may be under its lease. So the sweep looks at what is
-- due, and the tasks need no index on columns that change.
CREATE TABLE grants (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id      INTEGER NOT NULL,
    worker_id   INTEGER NOT NULL,
    granted_at  INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    -- When to look at it again.
    due_at      INTEGER NOT NULL,
    captures    TEXT    NOT NULL,
    -- Whether its one task is a suspect.
    suspect     INTEGER NOT NULL DEFAULT 0,
    -- Whether any task of it was answered; if not when its leases end, its worker has died.
    answered    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX grants_due ON grants (due_at);
CREATE INDEX grants_job ON grants (job_id);
CREATE INDEX grants_worker ON grants (worker_id);
CREATE INDEX grants_suspect ON grants (worker_id) WHERE suspect = 1;

CREATE TABLE detections (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id            INTEGER NOT NULL,
    capture_id        INTEGER NOT NULL,
    algorithm_id      INTEGER NOT NULL,
    x1                REAL,
    y1                REAL,
    x2                REAL,
    y2                REAL,
    at                INTEGER NOT NULL,
    inference_seconds REAL,
    crop_image_url    TEXT
) STRICT;
-- NULLs are distinct in a unique index; a whole image must be unique too.
CREATE UNIQUE INDEX detections_key ON detections
    (job_id, capture_id, algorithm_id, ifnull(x1, -1e308), ifnull(y1, -1e308), ifnull(x2, -1e308), ifnull(y2, -1e308));
CREATE INDEX detections_job ON detections (job_id, id);

CREATE TABLE classifications (
    detection_id      INTEGER NOT NULL,
    algorithm_id      INTEGER NOT NULL,
    position          INTEGER NOT NULL,
    label             TEXT    NOT NULL,
    terminal          INTEGER NOT NULL,
    score             REAL,
    -- Packed 32-bit floats, little endian.
    scores            BLOB    NOT NULL,
    logits            BLOB    NOT NULL,
    at                INTEGER NOT NULL,
    inference_seconds REAL,
    PRIMARY KEY (detection_id, algorithm_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_logs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id     INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    level      TEXT    NOT NULL CHECK (level IN ('DEBUG', 'INFO', 'WARNING', 'ERROR')),
    message    TEXT    NOT NULL,
    capture_id INTEGER
) STRICT;
CREATE INDEX job_logs_job ON job_logs (job_id, id);

-- The reports of the health check, as JSON; kept for a while.
CREATE TABLE ticks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    report     TEXT    NOT NULL
) STRICT;
