-- Adds what workers did. $1 [[worker, step, minute, processed, failed, lost], …] (JSON).
INSERT INTO worker_minutes (worker_id, step, minute, processed, failed, lost)
SELECT e.value->>0, e.value->>1, e.value->>2, e.value->>3, e.value->>4, e.value->>5 FROM json_each($1) AS e WHERE true
ON CONFLICT (worker_id, step, minute)
DO UPDATE SET processed = processed + excluded.processed, failed = failed + excluded.failed, lost = lost + excluded.lost
