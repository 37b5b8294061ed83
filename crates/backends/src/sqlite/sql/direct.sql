-- The connection of the hot half, as the other writing connection is set.
PRAGMA busy_timeout = 5000;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = memory;
PRAGMA cache_size = -65536;
