-- What the server and its user are.
SELECT pg_is_in_recovery() AS standby,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND application_name <> 'trapline') AS others,
    has_schema_privilege(current_schema(), 'CREATE') AS may_create,
    to_regclass('_sqlx_migrations') IS NOT NULL AS migrated,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
