-- Updates of tasks, and those of them that wrote no index (HOT), since the database was made.
SELECT coalesce(sum(n_tup_upd), 0)::bigint, coalesce(sum(n_tup_hot_upd), 0)::bigint FROM pg_stat_user_tables WHERE relname = 'tasks'
