-- The connection for what is read by key. A commit of the writer empties its cache.
PRAGMA busy_timeout = 5000;
PRAGMA query_only = ON;
PRAGMA cache_size = -1024;
