-- What results of a run may name. $1 job, $2 run.
SELECT algorithms FROM run_specs WHERE job_id = $1 AND run = $2
