-- How many jobs there are; the code adds what narrows them, and its parameters.
SELECT count(*) FROM jobs j WHERE j.deleted_at IS NULL
