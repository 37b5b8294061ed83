-- The grants of answers that come when the grant holds their task no more. $1 jobs, $2 workers, $3 when granted. (SELECT …) as in
-- settle_answered.sql.
SELECT g.id
FROM unnest((SELECT $1::bigint[]), $2::bigint[], $3::bigint[]) AS e (job_id, worker_id, granted_at)
CROSS JOIN LATERAL (SELECT g.id FROM grants g
                    WHERE g.worker_id = e.worker_id AND g.granted_at = e.granted_at AND g.job_id = e.job_id
                      AND NOT g.answered OFFSET 0) g
