-- Where a worker stands among last tries. $1 worker.
SELECT waits_for, last_tries, batches_until FROM workers WHERE id = $1
