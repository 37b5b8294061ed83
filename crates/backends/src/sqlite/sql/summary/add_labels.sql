-- Adds labels. $1 [[id, text], …] (JSON).
INSERT INTO labels (id, text)
SELECT e.value->>0, e.value->>1 FROM json_each($1) AS e WHERE true
ON CONFLICT (id) DO NOTHING
