-- Jobs by their ids; the code adds what narrows and orders them, and its parameters.
SELECT j.id FROM jobs j WHERE j.deleted_at IS NULL
