-- Adds labels. $1 [[id, text], …] (JSON), in the order of their keys.
INSERT INTO labels (id, text)
SELECT (e->>0)::bigint, e->>1
FROM json_array_elements($1::text::json) AS e
ON CONFLICT (id) DO NOTHING
