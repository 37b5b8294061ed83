-- Notes that the projections of a run are gone. $1 job, $2 run.
UPDATE jobs SET cleanup_due = false WHERE id = $1 AND run = $2
