-- The answers to one worker and what is handed out exclusively keep out of each other's way. A worker that is one process is
-- served one answer at a time, so that it gets nothing beside a suspect; others may share an address and are not held up
-- but by what is exclusive. $1 worker, $2 its lock, $3 whether this is exclusive. And whether it drains. No row if there is no
-- such worker.
SELECT one_process, draining, (CASE WHEN one_process OR $3 THEN pg_advisory_xact_lock($2) ELSE pg_advisory_xact_lock_shared($2) END) IS NULL
FROM workers WHERE id = $1
