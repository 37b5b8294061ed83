-- What a run's results may name: written once, when a dispatcher first claims the run, and never changed.
CREATE TABLE run_specs (
    job_id      BIGINT NOT NULL,
    run         BIGINT NOT NULL,
    pipeline_id BIGINT,
    -- [[algorithm_id, category_map_id], …]
    algorithms  TEXT   NOT NULL,
    -- The algorithms' keys and versions; two runs with the same fingerprint do the same work.
    fingerprint TEXT   NOT NULL,
    PRIMARY KEY (job_id, run)
);
-- Of the runs before this table only the last algorithms are known.
INSERT INTO run_specs (job_id, run, pipeline_id, algorithms, fingerprint)
SELECT j.id, r.run, j.pipeline_id, j.algorithms, j.fingerprint
FROM jobs j CROSS JOIN LATERAL generate_series(1, j.run) AS r (run)
WHERE j.algorithms <> '[]' OR j.fingerprint <> '' OR j.total > 0;
-- The run whose spec the saved result was judged by; it differs from `run` when a result of an older run came late.
ALTER TABLE tasks ADD COLUMN spec_run BIGINT;

-- Algorithms and pipelines become rows that never change, known by their content, so several may have one key or slug;
-- services become unique within their scope. The hash is NULL for a row of before, which no registration finds again.
ALTER TABLE algorithms DROP CONSTRAINT algorithms_key_version_key;
ALTER TABLE algorithms ADD COLUMN hash BYTEA UNIQUE;
ALTER TABLE pipelines DROP CONSTRAINT pipelines_slug_key;
ALTER TABLE pipelines ADD COLUMN hash BYTEA UNIQUE;
ALTER TABLE services DROP CONSTRAINT services_name_key;
-- The project of the token that registered it; NULL for a token that is bound to none.
ALTER TABLE services ADD COLUMN owner_id BIGINT REFERENCES projects (id);
CREATE INDEX pipelines_slug ON pipelines (slug);
CREATE INDEX pipeline_algorithms_of ON pipeline_algorithms (algorithm_id);
CREATE UNIQUE INDEX services_name ON services (coalesce(owner_id, 0), name);

-- What a slug means in a project now. A registration moves only its own project's. From here on `project_pipelines` are
-- all definitions that a project ever had.
CREATE TABLE pipeline_pointers (
    project_id  BIGINT NOT NULL REFERENCES projects (id),
    slug        TEXT   NOT NULL,
    pipeline_id BIGINT NOT NULL REFERENCES pipelines (id),
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (project_id, slug)
);
INSERT INTO pipeline_pointers (project_id, slug, pipeline_id, created_at, updated_at)
SELECT pp.project_id, p.slug, p.id, p.created_at, p.updated_at
FROM project_pipelines pp JOIN pipelines p ON p.id = pp.pipeline_id;

-- What a service registered last, by the process that did, so that a heartbeat is told from a change.
CREATE TABLE service_registrations (
    service_id  BIGINT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    project_id  BIGINT NOT NULL REFERENCES projects (id),
    slug        TEXT   NOT NULL,
    -- By `client_info`; empty if it does not say.
    instance    TEXT   NOT NULL,
    pipeline_id BIGINT NOT NULL REFERENCES pipelines (id),
    at          BIGINT NOT NULL,
    PRIMARY KEY (service_id, project_id, slug, instance)
);
CREATE INDEX service_registrations_project ON service_registrations (project_id, slug, pipeline_id);
INSERT INTO service_registrations (service_id, project_id, slug, instance, pipeline_id, at)
SELECT sp.service_id, sj.project_id, p.slug, '', p.id, coalesce(s.last_seen, s.updated_at)
FROM service_pipelines sp
JOIN service_projects sj ON sj.service_id = sp.service_id
JOIN project_pipelines pp ON pp.project_id = sj.project_id AND pp.pipeline_id = sp.pipeline_id
JOIN pipelines p ON p.id = sp.pipeline_id
JOIN services s ON s.id = sp.service_id;
