-- The job that a request of a key made, and what that asked for. $1 project, $2 key.
SELECT id, create_asked FROM jobs WHERE project_id = $1 AND create_key = $2
