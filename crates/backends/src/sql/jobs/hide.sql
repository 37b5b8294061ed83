-- Removes a job from sight, and fences whatever dispatcher is at work; its rows are removed later. $1 job, $2 now.
UPDATE jobs SET deleted_at = $2, dispatch_epoch = dispatch_epoch + 1, cleanup_due = true
WHERE id = $1 AND deleted_at IS NULL
