-- The row that a result is about, its columns in the order of `rows::task_view`. ?1 job, ?2 capture.
SELECT job_id, capture_id, ord, run, delivery, state, reason, n_detections, n_classifications, grant_id,
       delivery - delivery_base AS attempts, strikes, suspect, died_grant, died_delivery,
       CASE WHEN state = 'failed' THEN detail END AS detail
FROM tasks WHERE job_id = ?1 AND capture_id = ?2
