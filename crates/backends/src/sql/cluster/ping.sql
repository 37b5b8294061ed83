-- Whether the store can be read.
SELECT id FROM cluster
