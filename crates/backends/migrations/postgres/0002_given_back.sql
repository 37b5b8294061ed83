-- A grant is kept until its leases would have ended, whoever took its tasks meanwhile, because its worker may have died on
-- it; unless one was given back, or never reached its worker.
ALTER TABLE grants ADD COLUMN given_back BOOLEAN NOT NULL DEFAULT false;
-- A grant is found by whom it is of and when, if its number was never heard or is forgotten.
DROP INDEX grants_worker;
CREATE INDEX grants_worker ON grants (worker_id, granted_at);
