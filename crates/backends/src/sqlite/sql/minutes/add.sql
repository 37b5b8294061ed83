-- Adds what jobs settled; of a deleted job nothing is kept. $1 [[job, step, minute, processed, failed], …] (JSON).
INSERT INTO job_minutes (job_id, step, minute, processed, failed)
SELECT e.value->>0, e.value->>1, e.value->>2, e.value->>3, e.value->>4 FROM json_each($1) AS e
WHERE EXISTS (SELECT 1 FROM jobs j WHERE j.id = e.value->>0 AND j.deleted_at IS NULL)
ON CONFLICT (job_id, step, minute)
DO UPDATE SET processed = processed + excluded.processed, failed = failed + excluded.failed
