-- The last step of the store's clock and the offset, if it was within a week of the last heartbeat.
SELECT step_at, step_by, clock_offset FROM cluster WHERE step_at > alive_at - 604800000000
