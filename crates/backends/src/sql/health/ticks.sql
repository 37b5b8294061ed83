-- A page of reports, newest first. $1 before, $2 limit.
SELECT id, report FROM ticks WHERE id < $1 ORDER BY id DESC LIMIT $2
