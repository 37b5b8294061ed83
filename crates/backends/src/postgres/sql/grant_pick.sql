-- Of the candidates those that may be handed out: pending, under no lease, of the current run of an active job, and
-- suspects or not as asked, or both. A lease that has ended is still one until the sweep has counted its end.
-- $1 job, $2 budget, $3 limit, $4 candidates, $5 suspects, or NULL for both.
-- What another transaction holds is being handed out or settled, so it is skipped. The conditions are checked again on a
-- row that changed before it could be locked. The job's row is read without a lock (A7): every settlement writes it.
-- Each candidate is looked up by its key. `= ANY` could be a filter over all tasks of the job, and `state = 'pending'`
-- outside of a CASE could bring in an index of all that is pending (docs/adr/0008).
SELECT t.capture_id, t.delivery, t.run, c.url
FROM (SELECT DISTINCT e.id FROM unnest($4::bigint[]) AS e (id) ORDER BY e.id) AS e
CROSS JOIN LATERAL (
    SELECT t.capture_id, t.delivery, t.run FROM tasks t
    WHERE t.job_id = $1 AND t.capture_id = e.id
      AND CASE WHEN t.state = 'pending' AND t.grant_id IS NULL AND t.strikes < $2 AND t.suspect = coalesce($5, t.suspect) AND t.run = (
              SELECT j.run FROM jobs j WHERE j.id = $1 AND j.status IN ('STARTED', 'RETRY') AND j.deleted_at IS NULL)
          THEN true END
    FOR NO KEY UPDATE OF t SKIP LOCKED
) t
CROSS JOIN LATERAL (SELECT c.url FROM captures c WHERE c.id = t.capture_id OFFSET 0) c
LIMIT $3
