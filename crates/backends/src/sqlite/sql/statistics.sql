-- Whether somebody's ANALYZE has left statistics.
SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1')
