-- How many jobs of some statuses there are; the code adds those, what narrows them, and its parameters.
SELECT count(*) FROM jobs j WHERE j.deleted_at IS NULL
