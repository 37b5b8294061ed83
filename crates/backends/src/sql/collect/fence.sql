-- The fence of a slice (A12): no row means that another dispatcher has the job, or that it was stopped.
-- $1 job, $2 epoch, $3 run, $4 watermark to, $5 phase to, $6 claimed until, $7 and $8 the cut or NULL, $9 now,
-- $10 watermark from, $11 phase from.
UPDATE jobs SET watermark = $4, phase = $5, dispatch_until = $6, cut_ord = coalesce($7, cut_ord),
    cut_capture_id = coalesce($8, cut_capture_id), updated_at = $9
WHERE id = $1 AND dispatch_epoch = $2 AND run = $3 AND watermark = $10 AND phase = $11
  AND status = 'STARTED' AND NOT collected AND deleted_at IS NULL
