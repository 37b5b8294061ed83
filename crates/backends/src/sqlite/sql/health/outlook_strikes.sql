-- Hand-outs of a job's pending tasks that ended without an answer, and to whom one of them went. ?1 job.
SELECT ifnull(sum(t.strikes), 0) AS strikes, max(w.name) AS worker
FROM tasks t INDEXED BY tasks_struck LEFT JOIN workers w ON w.id = t.holder
WHERE t.job_id = ?1 AND t.state = 'pending' AND t.strikes > 0
