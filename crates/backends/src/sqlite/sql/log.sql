-- Lines in jobs' logs. $1 [[job, level, text, capture], …] (JSON), $2 now.
INSERT INTO job_logs (job_id, at, level, message, capture_id)
SELECT e.value->>0, $2, e.value->>1, e.value->>2, e.value->>3 FROM json_each($1) AS e
