-- Whether every task of it was answered, ended or given back. It never holds one again, so whoever counts leases passes
-- over it; the sweep finds that out, and no settlement writes it.
ALTER TABLE grants ADD COLUMN empty INTEGER NOT NULL DEFAULT 0;
CREATE INDEX grants_by_age ON grants (granted_at);
CREATE INDEX grants_held ON grants (job_id, id) WHERE empty = 0;
