-- The report of a tick. $1 when it began, $2 report (JSON).
INSERT INTO ticks (started_at, report) VALUES ($1, $2)
