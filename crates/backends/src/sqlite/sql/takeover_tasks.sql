-- All tasks under a lease, found by the grants that hold them. The base goes up with the delivery that nobody will answer, so
-- that it does not count as an attempt.
UPDATE tasks SET grant_id = NULL, lease_until = NULL, delivery_base = min(delivery_base + 1, delivery)
FROM grants g, json_each(g.captures) e
WHERE tasks.job_id = g.job_id AND tasks.capture_id = e.value AND tasks.grant_id = g.id AND tasks.state = 'pending'
