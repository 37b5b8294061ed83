-- Gives the tick back. $1 node.
UPDATE cluster SET tick_node = NULL, tick_until = NULL WHERE tick_node = $1
