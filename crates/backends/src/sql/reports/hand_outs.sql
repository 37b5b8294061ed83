-- What is known of the hand-outs of a task, beside its row. $1 job, $2 capture.
SELECT releases, returns, history, lease_until FROM tasks WHERE job_id = $1 AND capture_id = $2
