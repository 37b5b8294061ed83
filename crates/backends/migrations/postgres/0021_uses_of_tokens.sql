-- When a token was used last: nodes write it every minute, so it is no younger than that.
ALTER TABLE tokens ADD COLUMN used_at BIGINT;
