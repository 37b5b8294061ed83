-- Tasks of a deleted job, which purge_tasks.sql locked. $1 job, $2 captures. The keys are in a step of their own, since a job
-- that the planner knows could be read as a whole (docs/adr/0008).
WITH e AS MATERIALIZED (SELECT $1::bigint AS job_id, unnest($2::bigint[]) AS capture_id)
DELETE FROM tasks t USING e WHERE t.job_id = e.job_id AND t.capture_id = e.capture_id
