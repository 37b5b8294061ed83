-- The lines of a job's log that are about an image are found without reading the others. Only failures are such lines.
CREATE INDEX job_logs_capture ON job_logs ((job_id - 0), capture_id, id) WHERE capture_id IS NOT NULL;
