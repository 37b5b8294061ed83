-- An empty URL names nothing, so each of them is a capture of its own.
INSERT INTO captures (project_id, url, taken_at, width, height)
SELECT ?1, '', j.value ->> 'taken_at', j.value ->> 'width', j.value ->> 'height'
FROM json_each(?2) AS j
WHERE j.value ->> 'url' = ''
ORDER BY j.key
RETURNING id
