-- Hand-outs of a job's pending tasks that ended without an answer, and to whom one of them went; by tasks_strikes and
-- tasks_suspects. The first one of a suspect is no strike. $1 job.
SELECT coalesce(sum(t.ends), 0)::bigint AS strikes, max(w.name) AS worker
FROM (SELECT strikes AS ends, holder FROM tasks WHERE job_id * 1 = $1 AND state = 'pending' AND strikes > 0
      UNION ALL
      SELECT 1, holder FROM tasks WHERE job_id - 0 = $1 AND state = 'pending' AND suspect AND strikes = 0) t
LEFT JOIN workers w ON w.id = t.holder
