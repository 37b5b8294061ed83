-- The migrations that were begun, and whether each succeeded.
SELECT version, success FROM _sqlx_migrations ORDER BY version
