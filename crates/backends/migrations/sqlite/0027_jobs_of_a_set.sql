-- A draft that nobody used is removed with its set, unless a job is of that: here and in the check of the foreign key, jobs are
-- found by their set.
CREATE INDEX jobs_of_a_set ON jobs (collection_id) WHERE collection_id IS NOT NULL;
