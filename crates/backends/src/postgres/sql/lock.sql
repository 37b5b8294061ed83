-- Takes a lock until the transaction ends. $1 lock.
SELECT pg_advisory_xact_lock($1)
