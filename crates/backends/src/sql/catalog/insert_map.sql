-- A new category map. $1 hash, $2 map.
INSERT INTO category_maps (hash, map) VALUES ($1, $2) RETURNING id
