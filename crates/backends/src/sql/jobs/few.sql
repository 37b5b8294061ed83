-- How many jobs of a status there are, counted no further than so many. $1 status, $2 so many.
SELECT count(*) FROM (SELECT 1 FROM jobs WHERE status = $1 AND deleted_at IS NULL LIMIT $2) few
