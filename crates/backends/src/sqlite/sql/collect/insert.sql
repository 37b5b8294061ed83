-- Adds tasks whose captures have a URL, in the order of their places. $1 job, $2 run, $3 [[capture, ord], …] (JSON).
INSERT INTO tasks (job_id, capture_id, ord, run)
SELECT $1, e.value->>0, e.value->>1, $2 FROM json_each($3) e
WHERE true
ON CONFLICT DO NOTHING
