-- Jobs that have ended, and when; the code adds of which project and from where.
SELECT j.id, j.finished_at AS place FROM jobs j WHERE j.finished_at IS NOT NULL AND j.deleted_at IS NULL
