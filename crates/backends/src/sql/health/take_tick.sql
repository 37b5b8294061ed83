-- Takes the tick, or begins it anew. $1 node, $2 now, $3 until, $4 a tick that began after this is recent enough, or NULL.
UPDATE cluster SET
    tick_started_at = CASE WHEN tick_node = $1 AND tick_until > $2 THEN tick_started_at ELSE $2 END,
    tick_node = $1, tick_until = $3
WHERE (tick_node IS NULL OR tick_node = $1 OR tick_until <= $2)
  AND (CAST($4 AS bigint) IS NULL OR tick_started_at IS NULL OR tick_started_at <= $4)
