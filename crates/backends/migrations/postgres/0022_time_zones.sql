-- The zone in which the photographs of a project are shown, by its IANA name; NULL for the clock of each camera.
ALTER TABLE projects ADD COLUMN time_zone TEXT;
-- The zone by whose half-hours a summary counts, by the beginning of the SHA-256 of its name; 0 for the clock of each camera.
ALTER TABLE summaries ADD COLUMN zone BIGINT NOT NULL DEFAULT 0;
-- The number of the job's processed images when its photographs were counted after the end of the run; NULL until then.
ALTER TABLE summaries ADD COLUMN processed BIGINT;
