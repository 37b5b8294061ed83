-- The newest job that is not looked at any more. $1 looks at older jobs than this, $2 at so many.
SELECT id FROM jobs WHERE id < $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT 1 OFFSET $2
