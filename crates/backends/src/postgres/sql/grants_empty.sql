-- Marks grants that hold no task any more, so that whoever counts leases passes over them. A grant gets its tasks when it is
-- made, so one that holds none never will again. Tasks are mostly settled in order, so the last is looked at first. An older
-- snapshot sees a task that was just settled as held; then a later sweep marks its grant.
-- $1 and $2 job and grant after which to begin, $3 how many are looked at. Returns those, with how many tasks each had.
WITH held AS MATERIALIZED (
    SELECT g.id, g.job_id, g.captures FROM grants g
    WHERE (g.job_id - 0, g.id) > ($1, $2) AND NOT g.empty
    ORDER BY g.job_id - 0, g.id
    LIMIT (SELECT $3::bigint)
), free AS MATERIALIZED (
    SELECT h.id FROM held h
    WHERE (SELECT true FROM (SELECT e.id FROM unnest(h.captures) WITH ORDINALITY AS e (id, at) ORDER BY e.at DESC) e
           CROSS JOIN LATERAL (SELECT t.grant_id FROM tasks t WHERE t.job_id = h.job_id AND t.capture_id = e.id OFFSET 0) t
           WHERE t.grant_id = h.id LIMIT 1) IS NULL
), locked AS MATERIALIZED (
    -- What somebody else holds is left for later, so this waits for nobody.
    SELECT g.id FROM free f
    CROSS JOIN LATERAL (SELECT g.id FROM grants g WHERE g.id = f.id FOR NO KEY UPDATE SKIP LOCKED) g
), marked AS (
    UPDATE grants g SET empty = true FROM locked l WHERE g.id = l.id
)
SELECT job_id, id, cardinality(captures)::bigint AS tasks FROM held ORDER BY job_id, id
