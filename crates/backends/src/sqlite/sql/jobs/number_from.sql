-- The least id of the next job: SQLite numbers on from the highest that was ever given. $1 id.
INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq)
SELECT (SELECT rowid FROM sqlite_sequence WHERE name = 'jobs'), 'jobs',
       max($1 - 1, ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'jobs'), 0))
