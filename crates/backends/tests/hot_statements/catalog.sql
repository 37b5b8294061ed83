INSERT INTO pipelines (id, slug, name, version, created_at, updated_at) VALUES (1, 'p', 'p', 1, 0, 0);
INSERT INTO algorithms (id, key, version, name, created_at, updated_at) VALUES (1, 'a', 1, 'a', 0, 0);
INSERT INTO pipeline_algorithms (pipeline_id, position, algorithm_id) VALUES (1, 0, 1);
INSERT INTO workers (id, token_id, instance, name, one_process, pipelines, first_seen, last_seen)
SELECT n, 1, 'w' || n, 'w' || n, true, '{p}', 0, 100 FROM generate_series(1, 40) n;
UPDATE cluster SET alive_at = 100, gap_from = 0, gap_to = 1, grace_until = 2;
