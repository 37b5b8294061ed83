-- The next free suspect in the order of dispatch, by tasks_suspects and locked. $1 job, $2 budget, $3 limit,
-- $4 by how many hand-outs the budget may be exceeded, $5 one whose next strike may be the last, or another.
WITH active AS MATERIALIZED (
    SELECT j.run FROM jobs j WHERE j.id = $1 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL
), picked AS MATERIALIZED (
    SELECT t.capture_id, t.delivery, t.run
    FROM tasks t
    WHERE t.job_id - 0 = $1 AND t.state = 'pending' AND t.suspect AND (SELECT run FROM active) IS NOT NULL
      AND CASE WHEN t.grant_id IS NULL AND t.run = (SELECT run FROM active) AND t.strikes < $2
              AND (t.strikes + 1 >= $2 OR t.delivery - t.delivery_base + 1 >= $2 + $4) = $5 THEN true END
    ORDER BY t.ord
    LIMIT (SELECT $3::bigint)
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
SELECT p.capture_id, p.delivery, p.run, c.url
FROM picked p CROSS JOIN LATERAL (SELECT c.url FROM captures c WHERE c.id = p.capture_id OFFSET 0) c
