-- Removes all grants.
DELETE FROM grants
