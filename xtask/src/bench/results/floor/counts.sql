-- What the bare program has stored.
SELECT (SELECT count(*) FROM tasks WHERE state = 'processed'), (SELECT count(*) FROM detections), (SELECT count(*) FROM classifications)
