-- Adds what jobs settled; of a deleted job nothing is kept. $1 [[job, step, minute, processed, failed], …] (JSON), in the order of
-- their keys, in which all nodes lock them.
INSERT INTO job_minutes (job_id, step, minute, processed, failed)
SELECT (e->>0)::bigint, (e->>1)::bigint, (e->>2)::bigint, (e->>3)::bigint, (e->>4)::bigint
FROM json_array_elements($1::text::json) AS e
WHERE EXISTS (SELECT 1 FROM jobs j WHERE j.id = (e->>0)::bigint AND j.deleted_at IS NULL)
ON CONFLICT (job_id, step, minute)
DO UPDATE SET processed = job_minutes.processed + excluded.processed, failed = job_minutes.failed + excluded.failed
