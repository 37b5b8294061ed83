-- Marks those of the grants that hold no task any more, so that whoever counts leases passes over them. A grant gets its
-- tasks when it is made, so one that holds none never will again. $1 grants.
UPDATE grants SET empty = 1
WHERE id IN (
    SELECT g.id FROM json_each($1) i CROSS JOIN grants g ON g.id = i.value
    WHERE NOT EXISTS (SELECT 1 FROM json_each(g.captures) e
                      CROSS JOIN tasks t ON t.job_id = g.job_id AND t.capture_id = e.value WHERE t.grant_id = g.id))
