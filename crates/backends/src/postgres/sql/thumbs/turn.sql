-- Whether this node may remove thumbnails until the transaction ends: two that did so at once would remove as much for the same reason.
SELECT pg_try_advisory_xact_lock(hashtext('old thumbnails'))
