-- A detection: job, place, capture, number, and so on as the table says.
INSERT INTO detections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
