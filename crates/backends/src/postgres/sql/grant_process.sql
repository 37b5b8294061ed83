-- A worker that is one process is served one answer at a time, so that it gets nothing beside a suspect; others may share
-- an address and are not held up. No row if it is not one process. $1 worker.
SELECT id FROM workers WHERE id = $1 AND one_process FOR NO KEY UPDATE
