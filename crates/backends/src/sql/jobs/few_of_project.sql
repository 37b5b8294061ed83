-- As few.sql, of one project. $1 status, $2 so many, $3 project.
SELECT count(*) FROM (SELECT 1 FROM jobs WHERE status = $1 AND project_id = $3 AND deleted_at IS NULL LIMIT $2) few
