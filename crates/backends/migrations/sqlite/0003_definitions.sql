-- What a run's results may name: written once, when a dispatcher first claims the run, and never changed.
CREATE TABLE run_specs (
    job_id      INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    pipeline_id INTEGER,
    -- [[algorithm_id, category_map_id], …]
    algorithms  TEXT    NOT NULL,
    -- The algorithms' keys and versions; two runs with the same fingerprint do the same work.
    fingerprint TEXT    NOT NULL,
    PRIMARY KEY (job_id, run)
) STRICT, WITHOUT ROWID;
-- Of the runs before this table only the last algorithms are known.
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
WITH RECURSIVE runs (job_id, run) AS (
    SELECT id, run FROM jobs WHERE algorithms <> '[]' OR fingerprint <> '' OR total > 0
    UNION ALL SELECT job_id, run - 1 FROM runs WHERE run > 1
)
SELECT r.job_id, r.run, j.pipeline_id, j.algorithms, j.fingerprint FROM runs r JOIN jobs j ON j.id = r.job_id;
-- The run whose spec the saved result was judged by; it differs from `run` when a result of an older run came late.
ALTER TABLE tasks ADD COLUMN spec_run INTEGER;

-- Algorithms and pipelines become rows that never change, known by their content, so several may have one key or slug;
-- services become unique within their scope. SQLite drops no constraint, so the three tables are made anew, and what
-- refers to them is set aside meanwhile: dropping a table deletes its rows, with all that this does to others.
CREATE TABLE algorithms_new (
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
    -- SHA-256 of the content; NULL for a row of before, which no registration finds again.
    hash            BLOB    UNIQUE
) STRICT;
CREATE TABLE pipelines_new (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    slug         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    description  TEXT    NOT NULL DEFAULT '',
    version_name TEXT    NOT NULL DEFAULT '',
    stages       TEXT    NOT NULL DEFAULT '[]',
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    hash         BLOB    UNIQUE
) STRICT;
CREATE TABLE services_new (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT    NOT NULL,
    description  TEXT    NOT NULL DEFAULT '',
    endpoint_url TEXT,
    last_seen    INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    -- The project of the token that registered it; NULL for a token that is bound to none.
    owner_id     INTEGER REFERENCES projects (id)
) STRICT;
INSERT INTO algorithms_new SELECT *, NULL FROM algorithms;
INSERT INTO pipelines_new SELECT *, NULL FROM pipelines;
INSERT INTO services_new SELECT *, NULL FROM services;
CREATE TABLE kept_jobs AS SELECT id, pipeline_id FROM jobs WHERE pipeline_id IS NOT NULL;
CREATE TABLE kept_workers AS SELECT id, service_id FROM workers WHERE service_id IS NOT NULL;
CREATE TABLE kept_pipeline_algorithms AS SELECT * FROM pipeline_algorithms;
CREATE TABLE kept_project_pipelines AS SELECT * FROM project_pipelines;
CREATE TABLE kept_service_pipelines AS SELECT * FROM service_pipelines;
CREATE TABLE kept_service_projects AS SELECT * FROM service_projects;
UPDATE jobs SET pipeline_id = NULL;
UPDATE workers SET service_id = NULL;
DELETE FROM pipeline_algorithms;
DELETE FROM project_pipelines;
DELETE FROM service_projects;
DROP TABLE service_pipelines;
DROP TABLE services;
DROP TABLE pipelines;
DROP TABLE algorithms;
ALTER TABLE algorithms_new RENAME TO algorithms;
ALTER TABLE pipelines_new RENAME TO pipelines;
ALTER TABLE services_new RENAME TO services;
INSERT INTO pipeline_algorithms SELECT * FROM kept_pipeline_algorithms;
-- From here on these are all definitions that a project ever had; the next table says which one is current.
INSERT INTO project_pipelines SELECT * FROM kept_project_pipelines;
INSERT INTO service_projects SELECT * FROM kept_service_projects;
UPDATE jobs SET pipeline_id = (SELECT k.pipeline_id FROM kept_jobs k WHERE k.id = jobs.id);
UPDATE workers SET service_id = (SELECT k.service_id FROM kept_workers k WHERE k.id = workers.id);
CREATE INDEX pipelines_slug ON pipelines (slug);
CREATE INDEX pipeline_algorithms_of ON pipeline_algorithms (algorithm_id);
CREATE UNIQUE INDEX services_name ON services (ifnull(owner_id, 0), name);

-- What a slug means in a project now. A registration moves only its own project's.
CREATE TABLE pipeline_pointers (
    project_id  INTEGER NOT NULL REFERENCES projects (id),
    slug        TEXT    NOT NULL,
    pipeline_id INTEGER NOT NULL REFERENCES pipelines (id),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (project_id, slug)
) STRICT, WITHOUT ROWID;
INSERT INTO pipeline_pointers (project_id, slug, pipeline_id, created_at, updated_at)
SELECT k.project_id, p.slug, p.id, p.created_at, p.updated_at
FROM kept_project_pipelines k JOIN pipelines p ON p.id = k.pipeline_id;

-- What a service registered last, by the process that did, so that a heartbeat is told from a change.
CREATE TABLE service_registrations (
    service_id  INTEGER NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    project_id  INTEGER NOT NULL REFERENCES projects (id),
    slug        TEXT    NOT NULL,
    -- By `client_info`; empty if it does not say.
    instance    TEXT    NOT NULL,
    pipeline_id INTEGER NOT NULL REFERENCES pipelines (id),
    at          INTEGER NOT NULL,
    PRIMARY KEY (service_id, project_id, slug, instance)
) STRICT, WITHOUT ROWID;
CREATE INDEX service_registrations_project ON service_registrations (project_id, slug, pipeline_id);
INSERT INTO service_registrations (service_id, project_id, slug, instance, pipeline_id, at)
SELECT sp.service_id, sj.project_id, p.slug, '', p.id, ifnull(s.last_seen, s.updated_at)
FROM kept_service_pipelines sp
JOIN kept_service_projects sj ON sj.service_id = sp.service_id
JOIN kept_project_pipelines pp ON pp.project_id = sj.project_id AND pp.pipeline_id = sp.pipeline_id
JOIN pipelines p ON p.id = sp.pipeline_id
JOIN services s ON s.id = sp.service_id;
DROP TABLE kept_jobs;
DROP TABLE kept_workers;
DROP TABLE kept_pipeline_algorithms;
DROP TABLE kept_project_pipelines;
DROP TABLE kept_service_pipelines;
DROP TABLE kept_service_projects;
