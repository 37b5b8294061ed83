-- A row by the hash of its content. $1 hash.
SELECT id FROM category_maps WHERE hash = $1
