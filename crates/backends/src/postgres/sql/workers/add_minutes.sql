-- Adds what workers did. $1 [[worker, step, minute, processed, failed, lost], …] (JSON), in the order of their keys, in which all
-- nodes lock them.
INSERT INTO worker_minutes (worker_id, step, minute, processed, failed, lost)
SELECT (e->>0)::bigint, (e->>1)::bigint, (e->>2)::bigint, (e->>3)::bigint, (e->>4)::bigint, (e->>5)::bigint
FROM json_array_elements($1::text::json) AS e
ON CONFLICT (worker_id, step, minute) DO UPDATE SET processed = worker_minutes.processed + excluded.processed,
    failed = worker_minutes.failed + excluded.failed, lost = worker_minutes.lost + excluded.lost
