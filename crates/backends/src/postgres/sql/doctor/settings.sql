-- Settings of the server, a row each.
SELECT name, setting FROM pg_settings WHERE name IN ('server_version_num', 'server_version', 'synchronous_commit',
    'fsync', 'full_page_writes', 'max_connections', 'superuser_reserved_connections', 'reserved_connections',
    'autovacuum', 'server_encoding')
