-- Why jobs wait, beside their workers: hand-outs of pending tasks that ended without an answer, and to whom one of them went (the
-- first one of a suspect is no strike); a worker that has a suspect alone, and one that is kept free for such a try. $1 jobs.
WITH asked AS MATERIALIZED (
    SELECT j.id, j.project_id, p.slug
    FROM json_each($1) e CROSS JOIN jobs j ON j.id = e.value LEFT JOIN pipelines p ON p.id = j.pipeline_id
    WHERE j.deleted_at IS NULL),
struck AS MATERIALIZED (
    SELECT ended.job_id, sum(ended.ends) AS strikes, max(w.name) AS worker
    FROM (SELECT t.job_id, t.strikes AS ends, t.holder
          FROM asked a CROSS JOIN tasks t INDEXED BY tasks_struck ON t.job_id = a.id
          WHERE t.state = 'pending' AND t.strikes > 0
          UNION ALL
          SELECT t.job_id, 1, t.holder
          FROM asked a CROSS JOIN tasks t INDEXED BY tasks_suspect ON t.job_id = a.id
          WHERE t.state = 'pending' AND t.suspect = 1 AND t.strikes = 0) ended
    LEFT JOIN workers w ON w.id = ended.holder
    GROUP BY ended.job_id),
kept AS MATERIALIZED (
    SELECT w.id, w.name, w.waits_for, w.last_seen FROM workers w WHERE w.waits_for IN (SELECT id FROM asked))
SELECT a.id, a.project_id, a.slug, ifnull(s.strikes, 0) AS strikes, s.worker AS struck_by,
       (SELECT w.name FROM grants g INDEXED BY grants_held
        CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = g.captures->>0
        CROSS JOIN workers w ON w.id = g.worker_id
        WHERE g.job_id = a.id AND g.empty = 0 AND g.exclusive = 1 AND t.grant_id = g.id AND t.state = 'pending'
        ORDER BY g.id LIMIT 1) AS tried_by,
       (SELECT k.name FROM kept k
        WHERE k.waits_for = a.id AND EXISTS (
            SELECT 1 FROM tasks t INDEXED BY tasks_suspect
            WHERE t.job_id = a.id AND t.state = 'pending' AND t.suspect = 1 AND t.grant_id IS NULL)
        ORDER BY k.last_seen DESC, k.id LIMIT 1) AS put_off
FROM asked a LEFT JOIN struck s ON s.job_id = a.id
ORDER BY a.id
