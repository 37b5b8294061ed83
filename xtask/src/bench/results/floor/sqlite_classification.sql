-- A classification: job, place, capture, number, and so on as the table says.
INSERT INTO classifications VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
