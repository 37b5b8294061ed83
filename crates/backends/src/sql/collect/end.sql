-- Gives up the claim of a dispatcher. $1 job.
UPDATE jobs SET dispatch_until = NULL WHERE id = $1
