-- Hand-outs of a job's pending tasks that ended without an answer, and to whom one of them went; by tasks_strikes. $1 job.
SELECT coalesce(sum(t.strikes), 0)::bigint AS strikes, max(w.name) AS worker
FROM tasks t LEFT JOIN workers w ON w.id = t.holder
WHERE t.job_id * 1 = $1 AND t.state = 'pending' AND t.strikes > 0
