-- Notes a clean end. `alive_at` stays: after an outage it would hide it from the next start.
UPDATE cluster SET clean = true
