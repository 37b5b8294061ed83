-- Minutes east of UTC in which `taken_at` was written; NULL for a local time of an unknown zone.
ALTER TABLE captures ADD COLUMN taken_offset INTEGER;
ALTER TABLE captures ADD COLUMN camera TEXT;
-- Of a local file: which content it has. The digest is SHA-256 in hexadecimal digits, NULL until somebody read the file.
ALTER TABLE captures ADD COLUMN file_size INTEGER;
ALTER TABLE captures ADD COLUMN file_modified INTEGER;
ALTER TABLE captures ADD COLUMN file_digest TEXT;
