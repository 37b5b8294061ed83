-- Hand-outs of a job's pending tasks that ended without an answer, and to whom one of them went. The first one of a suspect
-- is no strike. $1 job.
SELECT ifnull(sum(t.ends), 0) AS strikes, max(w.name) AS worker
FROM (SELECT strikes AS ends, holder FROM tasks INDEXED BY tasks_struck
      WHERE job_id = $1 AND state = 'pending' AND strikes > 0
      UNION ALL
      SELECT 1, holder FROM tasks INDEXED BY tasks_suspect
      WHERE job_id = $1 AND state = 'pending' AND suspect = 1 AND strikes = 0) t
LEFT JOIN workers w ON w.id = t.holder
