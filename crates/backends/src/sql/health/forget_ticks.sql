-- Removes old reports. $1 the oldest that is kept.
DELETE FROM ticks WHERE started_at < $1
