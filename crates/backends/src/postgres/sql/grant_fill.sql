-- Free tasks that are no suspects in the order of dispatch, by tasks_free and locked, for a reserve that the queue left
-- short. $1 job, $2 budget, $3 limit, $4 captures that are taken already.
-- As in grant_pick.sql, locked ones are somebody else's.
WITH active AS MATERIALIZED (
    SELECT j.run FROM jobs j WHERE j.id = $1 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
), picked AS MATERIALIZED (
    SELECT t.capture_id, t.delivery, t.run
    FROM tasks t
    WHERE t.job_id + 0 = $1 AND t.state = 'pending' AND (SELECT run FROM active) IS NOT NULL AND t.capture_id <> ALL ($4)
      AND CASE WHEN t.grant_id IS NULL AND t.run = (SELECT run FROM active) AND t.strikes < $2 AND NOT t.suspect THEN true END
    ORDER BY t.ord, t.capture_id
    LIMIT (SELECT $3::bigint)
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
SELECT p.capture_id, p.delivery, p.run, c.url
FROM picked p CROSS JOIN LATERAL (SELECT c.url FROM captures c WHERE c.id = p.capture_id OFFSET 0) c
