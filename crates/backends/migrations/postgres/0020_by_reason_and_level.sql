-- What is rare among the failed images and the warnings of a job is found without reading the others. Only failures and errors are
-- written to these.
CREATE INDEX tasks_reason ON tasks ((job_id - 0), reason, capture_id) WHERE state = 'failed';
CREATE INDEX job_logs_errors ON job_logs ((job_id - 0), id) WHERE level = 'ERROR';
