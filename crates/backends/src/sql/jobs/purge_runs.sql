-- Removes what results of a deleted job's runs could name. $1 job.
DELETE FROM run_specs WHERE job_id = $1
