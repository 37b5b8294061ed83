-- Jobs and what they are sorted by, which an index has; the code adds of which project and from where.
SELECT j.id, lower(j.name COLLATE "C") AS place FROM jobs j WHERE j.deleted_at IS NULL
