-- Why jobs wait, beside their workers: hand-outs of pending tasks that ended without an answer, and to whom one of them went (the
-- first one of a suspect is no strike); a worker that has a suspect alone, and one that is kept free for such a try. $1 jobs.
WITH asked AS MATERIALIZED (
    SELECT j.id, j.project_id, p.slug
    FROM unnest($1::bigint[]) AS e (id)
    CROSS JOIN LATERAL (SELECT j.id, j.project_id, j.pipeline_id FROM jobs j
                        WHERE j.id = e.id AND j.deleted_at IS NULL OFFSET 0) j
    LEFT JOIN pipelines p ON p.id = j.pipeline_id),
kept AS MATERIALIZED (
    SELECT w.id, w.name, w.waits_for, w.last_seen FROM workers w WHERE w.waits_for = ANY (ARRAY(SELECT id FROM asked)))
SELECT a.id, a.project_id, a.slug, s.strikes, s.worker AS struck_by,
       (SELECT w.name FROM grants g
        CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t
                            WHERE t.job_id = g.job_id AND t.capture_id = g.captures[1] OFFSET 0) t
        JOIN workers w ON w.id = g.worker_id
        WHERE g.job_id - 0 = a.id AND NOT g.empty AND g.exclusive AND t.grant_id = g.id
        ORDER BY g.id LIMIT 1) AS tried_by,
       (SELECT k.name FROM kept k
        WHERE k.waits_for = a.id AND EXISTS (
            SELECT 1 FROM tasks t
            WHERE t.job_id - 0 = a.id AND t.state = 'pending' AND t.suspect AND CASE WHEN t.grant_id IS NULL THEN true END)
        ORDER BY k.last_seen DESC, k.id LIMIT 1) AS put_off
FROM asked a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(t.ends), 0)::bigint AS strikes, max(w.name) AS worker
    FROM (SELECT strikes AS ends, holder FROM tasks WHERE job_id * 1 = a.id AND state = 'pending' AND strikes > 0
          UNION ALL
          SELECT 1, holder FROM tasks WHERE job_id - 0 = a.id AND state = 'pending' AND suspect AND strikes = 0) t
    LEFT JOIN workers w ON w.id = t.holder) s
ORDER BY a.id
